"""The build script: it parses, its settings are read by vLLM's build, and its checks stop what they should.

Nothing is built here: git, pip and setup.py are stand-ins that record how they are called.
The Python code inside the script runs for real, against small packages that play torch, torchvision and setuptools.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "snippets" / "how_to" / "build_vllm.sh"
RELEASES = json.loads((ROOT / "tests" / "support" / "build_variables.json").read_text())

# Stands in front of the real interpreter: "-m pip" and "setup.py" are recorded, everything else is run.
PYTHON = f"""#!/bin/sh
case "$1 $2 $3" in
"-m pip list") printf 'numpy==2.2.6\\ntorch==2.11.0+rocm7.2\\ntorchvision==0.26.0\\ntriton==3.6.0\\n'; exit 0 ;;
"-m pip install"|"setup.py "*) echo "$@" >>"$CALLS" ;;
*) exec {sys.executable} "$@" ;;
esac
if [ "$4" = --constraint ]; then cat "$5" >"$CALLS.keep"; fi
if [ "$1" = setup.py ]; then mkdir -p dist; : >dist/vllm-0.24.0+rocm723-cp312.whl; sh -c "${{AFTER_BUILD:-:}}"; fi
"""


def set_for_the_build(script: str) -> set[str]:
    """Names that a shell script hands to its commands: exported, or written in front of one."""
    exported = re.findall(r"^\s*export\s+(\w+)=", script, re.M)
    in_front = re.findall(r"^[ \t]*((?:\w+=\S*[ \t]+)+)[^\s#]", script, re.M)
    return {*exported, *(name for words in in_front for name in re.findall(r"(\w+)=", words))}


@pytest.mark.block("how_to/build_vllm.sh", "settings", evidence="checked")
def test_every_setting_is_read_by_the_build() -> None:
    script = SCRIPT.read_text()
    default = re.search(r'tag="\$\{1:-v([\d.]+)\}"', script)
    assert default and default[1] == "0.24.0"
    names = set_for_the_build(script)
    assert names == {"ROCM_PATH", "PYTORCH_ROCM_ARCH", "VLLM_TARGET_DEVICE", "MAX_JOBS"}
    for release, facts in RELEASES.items():
        assert names <= facts["reads"].keys(), release


@pytest.mark.parametrize("planted", ["export VLLM_GPU_LANG=HIP", "A=1 VLLM_GPU_LANG=HIP python3 setup.py develop"])
def test_a_setting_that_nobody_reads_is_found(planted: str) -> None:
    assert len(RELEASES) >= 4
    assert "VLLM_GPU_LANG" in set_for_the_build(f"set -eu\n{planted}\n")
    assert all("VLLM_GPU_LANG" not in facts["reads"] for facts in RELEASES.values())


def test_plain_shell_variables_are_not_settings() -> None:
    assert set_for_the_build('tag="${1:-v1}"   # comment\nkeep="$(mktemp)"   # comment\nx=1\n') == set()


def test_shellcheck_finds_nothing() -> None:
    if not (shellcheck := shutil.which("shellcheck")):
        pytest.skip("shellcheck is not installed")
    result = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(("text", "code"), [(SCRIPT.read_text(), 0), ("if true; then\n", 2)])
def test_bash_can_parse_it(text: str, code: int) -> None:
    assert subprocess.run(["bash", "-n"], input=text, text=True, stderr=subprocess.DEVNULL).returncode == code


@dataclass
class Machine:
    """A directory that plays a build machine: ROCm, an interpreter with packages, git."""

    root: Path

    def package(self, name: str, text: str) -> None:
        """Write the module ``name`` where the script's interpreter finds it first."""
        path = self.root / "packages" / name / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def command(self, name: str, text: str) -> None:
        """Write an executable that the script finds first."""
        path = self.root / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script as a reader would, in this machine."""
        return subprocess.run(
            ["bash", SCRIPT],
            cwd=self.root,
            capture_output=True,
            text=True,
            env={
                "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
                "PYTHONPATH": str(self.root / "packages"),
                "PYTHON": str(self.root / "bin" / "python"),
                "ROCM_PATH": str(self.root / "rocm"),
                "CALLS": str(self.root / "calls"),
                "TMPDIR": str(self.root),
                **environment,
            },
        )

    @property
    def calls(self) -> list[str]:
        """What the stand-ins were called with, in order."""
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which the build should go through."""
    machine = Machine(tmp_path)
    (tmp_path / "rocm").mkdir()
    machine.command("python", PYTHON)
    machine.command("git", '#!/bin/sh\necho git "$@" >>"$CALLS"\n[ "$1" = checkout ] || mkdir -p "$7"\n')
    machine.package("torch", "from types import SimpleNamespace\n__version__ = '2.11.0'\n")
    with (tmp_path / "packages" / "torch" / "__init__.py").open("a") as torch:
        torch.write("version = SimpleNamespace(hip='7.2.53211')\n")
    machine.package("torchvision", "")
    machine.package("setuptools", "__version__ = '79.0.1'\n")
    machine.package("amdsmi", "")
    machine.package("vllm", "")
    machine.package("vllm/cumem_allocator", "")
    metadata = tmp_path / "packages" / "vllm-0.24.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.24.0+rocm723\n")
    return machine


@pytest.mark.block("how_to/build_vllm.sh", "fetch", evidence="checked")
@pytest.mark.block("how_to/build_vllm.sh", "build", evidence="checked")
@pytest.mark.block("how_to/build_vllm.sh", "verify", evidence="checked")
def test_the_order_of_the_steps(machine: Machine) -> None:
    result = machine.run()
    assert result.returncode == 0, result.stderr
    keep = machine.calls[2].split()[4]
    assert machine.calls == [
        "git clone --depth 1 --branch v0.24.0 https://github.com/vllm-project/vllm.git vllm",
        "git checkout --quiet v0.24.0",
        f"-m pip install --constraint {keep} -r requirements/rocm.txt cmake>=3.26.1,<4",
        "setup.py bdist_wheel --dist-dir=dist",
        "-m pip install --no-deps --force-reinstall dist/vllm-0.24.0+rocm723-cp312.whl",
    ]
    kept = (machine.root / "calls.keep").read_text().split()
    assert kept == ["torch==2.11.0+rocm7.2", "torchvision==0.26.0", "triton==3.6.0"]
    assert result.stdout.split("\n")[-2] == "vllm 0.24.0+rocm723 torch 2.11.0 HIP 7.2.53211"


def test_amdsmi_comes_from_rocm_where_it_is_missing(machine: Machine) -> None:
    machine.package("amdsmi", "raise KeyError('libamd_smi.so')")
    assert machine.run().returncode == 0
    assert machine.calls[3] == f"-m pip install {machine.root}/rocm/share/amd_smi"


def test_verify_sees_a_torch_that_was_swapped_during_the_build(machine: Machine) -> None:
    swap = f"echo 'version.hip = None' >>{machine.root}/packages/torch/__init__.py"
    result = machine.run(AFTER_BUILD=swap)
    assert (result.returncode, result.stderr) == (1, "torch is no ROCm build any more\n")


def test_verify_sees_a_missing_allocator(machine: Machine) -> None:
    shutil.rmtree(machine.root / "packages" / "vllm" / "cumem_allocator")
    result = machine.run()
    assert result.returncode == 1
    assert "No module named 'vllm.cumem_allocator'" in result.stderr


@pytest.mark.block("how_to/build_vllm.sh", "check", evidence="checked")
@pytest.mark.parametrize(
    ("package", "text", "says"),
    [
        ("torch", "raise ImportError('none')", "cannot import torch: install PyTorch for ROCm first"),
        ("torch", "class version: hip = None", "is no ROCm build: install PyTorch for ROCm first"),
        ("torchvision", "raise ImportError('none')", "cannot import torchvision: install the one that fits"),
        ("setuptools", "__version__ = '80.0.0'", "or a too new one: pip install 'setuptools>=77.0.3,<80'"),
        ("setuptools", "raise ImportError('none')", "no setuptools, or"),
    ],
)
def test_bad_interpreter(machine: Machine, package: str, text: str, says: str) -> None:
    machine.package(package, text)
    result = machine.run()
    assert (result.returncode, len(result.stderr.splitlines()), machine.calls) == (2, 1, [])
    assert result.stderr.startswith("build_vllm: ") and says in result.stderr


def test_missing_rocm(machine: Machine) -> None:
    result = machine.run(ROCM_PATH="/no/rocm")
    assert (result.returncode, machine.calls) == (2, [])
    assert result.stderr == "build_vllm: no ROCm at ROCM_PATH=/no/rocm: install ROCm, or set ROCM_PATH\n"
