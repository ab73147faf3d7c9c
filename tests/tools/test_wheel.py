"""The wheel of `make wheel`, installed with pip where nothing else is: the command, its facts and what it lacks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support import checkouts
from tools.environment import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make wheel` builds in a copy of this tree that is tagged v9.8.7."""
    copy = checkouts.copy(tmp_path_factory.mktemp("wheel") / "copy")
    checkouts.git(copy, "tag", "v9.8.7")
    done = subprocess.run(
        ["make", "--no-print-directory", "wheel", f"PYTHON={sys.executable}"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return copy / done.stdout.strip()


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in an environment that pip made for the wheel alone."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, timeout=120)
    return folder / "bin" / "verl-rocm"


def run(command: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command away from this tree, with a home of its own."""
    home = str(command.parent.parent)
    environ = {"PATH": os.environ["PATH"], "HOME": home}
    return subprocess.run([command, *arguments], capture_output=True, text=True, cwd=home, env=environ, timeout=60)


def test_the_version_is_that_of_the_tag_and_facts_and_locks_are_inside(wheel: Path) -> None:
    assert wheel.name == "verl_rocm_guide-9.8.7-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    held = ["verl_rocm/facts", "verl_rocm/facts/vllm", "verl_rocm/facts/models", "verl_rocm/schemas"]
    for folder in held:
        here = {f"{folder}/{file.name}" for file in (ROOT / folder).iterdir() if file.suffix in (".json", ".toml")}
        assert here and here <= names
    assert {name for name in names if name.endswith(".lock")} == {
        "verl_rocm/locks/cpu-0.30.0.lock",
        "verl_rocm/locks/dryrun-0.24.0.lock",
        "verl_rocm/locks/dryrun-0.32.0.lock",
    }
    assert {name.split("/")[0] for name in names} == {"verl_rocm", "verl_rocm_guide-9.8.7.dist-info"}


def test_the_installed_command_says_its_version_and_checks(bare: Path) -> None:
    done = run(bare, "--version")
    assert done.stdout.splitlines()[0] == "verl-rocm 9.8.7"
    assert re.search(r"\d+ known issues, vllm up to", done.stdout)
    done = run(bare, "check", "--gpu", "MI300X", "--vllm", "0.30.0", "--verl", "0.9.1", "--rocm", "7.2.1")
    assert (done.returncode, done.stderr) == (1, "")
    assert "tensor-item-segfault-in-pool" in done.stdout


def test_without_an_engine_a_dry_run_says_in_one_line_how_to_get_one(bare: Path) -> None:
    done = run(bare, "dry-run", "--gpu", "MI300X", "trainer.nnodes=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: vLLM and verl are not installed here",
        "hint: use the Python that holds them, or `verl-rocm engine`, which builds one for the CPU (4 GB)",
    ]
    assert run(bare, "engine", "0.8.5").stderr.splitlines() == [
        "error: vLLM 0.8.5 is not supported",
        "hint: supported are 0.24.0, 0.30.0, 0.32.0",
    ]
