"""Putting another verl into an image: pip really installs, from wheels made here, into an environment made here."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "snippets" / "how_to" / "run_in_a_container_verl.sh"


def wheel(folder: Path, name: str, version: str, *requires: str) -> None:
    """Write a wheel of one empty package."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}/__init__.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


class Image:
    """An environment that plays an image: torch for ROCm, vLLM, and an old verl."""

    def __init__(self, root: Path) -> None:
        self.root, self.wheels, self.work = root, root / "wheels", root / "work"
        self.python = root / "venv" / "bin" / "python"
        self.wheels.mkdir()
        self.work.mkdir()
        wheel(self.wheels, "verl", "0.8.0")
        wheel(self.wheels, "verl", "0.9.1", "codetiming")
        wheel(self.wheels, "torch", "2.12.0+rocm7.2.3")
        wheel(self.wheels, "torch", "2.14.0")
        wheel(self.wheels, "vllm", "0.30.0+rocm723")
        wheel(self.wheels, "codetiming", "1.4.0", "torch")
        wheel(self.wheels, "greedy", "1.0", "torch>=2.14")
        subprocess.run([sys.executable, "-m", "venv", str(root / "venv")], check=True, timeout=120)
        self.pip("install", "--no-deps", "verl==0.8.0", "torch==2.12.0+rocm7.2.3", "vllm")

    def environment(self, **more: str) -> dict[str, str]:
        """No index but the wheels of this test."""
        variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.root), "PYTHON": str(self.python), **variables, **more}

    def pip(self, *arguments: str) -> str:
        """Run pip in the environment."""
        command = [str(self.python), "-m", "pip", *arguments]
        return subprocess.run(command, env=self.environment(), check=True, capture_output=True, text=True).stdout

    def run(self, *arguments: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        return subprocess.run(
            ["bash", str(SCRIPT), *arguments],
            cwd=cwd or self.work,
            env=self.environment(**more),
            timeout=60,
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(tmp_path_factory.mktemp("image"))


@pytest.mark.block("how_to/run_in_a_container_verl.sh", "settings", "requirements", "install", "verify")
def test_a_release_replaces_the_old_verl_and_nothing_else(image: Image) -> None:
    alone = image.run("0.9.1")
    assert alone.returncode == 1, alone.stderr
    assert alone.stdout.splitlines()[-1] == "verl 0.9.1 requires codetiming, which is not installed."
    (image.work / "needs.txt").write_text("codetiming==1.4.0\n")
    done = image.run("0.9.1", "needs.txt")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"verl 0.9.1 from {next(image.root.glob('venv/lib/*/site-packages'))}/verl"
    frozen = image.pip("list", "--format=freeze").splitlines()
    assert {"verl==0.9.1", "torch==2.12.0+rocm7.2.3", "vllm==0.30.0+rocm723", "codetiming==1.4.0"} <= set(frozen)


@pytest.mark.block("how_to/run_in_a_container_verl.sh", "requirements")
def test_pip_stops_rather_than_swap_torch(image: Image) -> None:
    (image.work / "greedy.txt").write_text("greedy==1.0\n")
    done = image.run("0.9.1", "greedy.txt")
    assert done.returncode == 1
    assert "because these package versions have conflicting dependencies" in done.stderr
    frozen = image.pip("list", "--format=freeze").splitlines()
    assert "torch==2.12.0+rocm7.2.3" in frozen and "greedy==1.0" not in frozen


@pytest.mark.block("how_to/run_in_a_container_verl.sh", "verify")
def test_an_old_checkout_in_the_folder_of_the_job_is_found(image: Image) -> None:
    old = image.root / "workspace"
    (old / "verl").mkdir(parents=True)
    (old / "verl" / "__init__.py").touch()
    done = image.run("0.9.1", cwd=old)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"a job here would import {old}/verl/__init__.py, verl 0.9.1 is")


@pytest.mark.block("how_to/run_in_a_container_verl.sh", "requirements")
def test_an_interpreter_without_torch_is_the_wrong_one(image: Image) -> None:
    (image.work / "none.txt").write_text("")
    bare = image.root / "bare"
    bare.write_text(f'#!/bin/sh\n[ "$3" = list ] || exec {image.python} "$@"\necho pip==1\n')
    bare.chmod(0o755)
    done = image.run("0.9.1", "none.txt", PYTHON=str(bare))
    message = f"run_in_a_container_verl: no torch in {bare}: start from an image that has vLLM\n"
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.block("how_to/run_in_a_container_verl.sh", "install", "verify", evidence="checked")
@pytest.mark.parametrize("right", [True, False])
def test_a_checkout_is_installed_in_place(image: Image, right: bool) -> None:
    """An editable install needs a build backend, so it is played: a path file, as setuptools writes one."""
    checkout, other = image.root / "checkout", image.root / "other"
    for folder in (checkout, other):
        (folder / "verl").mkdir(parents=True, exist_ok=True)
        (folder / "verl" / "__init__.py").touch()
    path = next(image.root.glob("venv/lib/*/site-packages")) / "verl-checkout.pth"
    stand_in = image.root / "editable"
    location = checkout if right else other
    stand_in.write_text(
        f'#!/bin/sh\n[ "$4 $5 $6" = "--no-deps --editable {checkout}" ] || exec {image.python} "$@"\n'
        f"echo \"import sys; sys.path.insert(0, '{location}')\" >{path}\n"
    )
    stand_in.chmod(0o755)
    try:
        done = image.run(str(checkout), PYTHON=str(stand_in))
        assert done.returncode == (0 if right else 1), done.stderr
        if right:
            assert f"from {checkout}/verl" in done.stdout
        else:
            assert f"a job here would import {other}/verl/__init__.py" in done.stderr
    finally:
        path.unlink(missing_ok=True)
        shutil.rmtree(other)
