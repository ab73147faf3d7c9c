"""The build script: what it sets, the order of its steps, and that it stops before an hour is lost.

Nothing is built here: git, pip and setup.py are stand-ins that record how they are called, and the source is a few
lines in the form of the releases'.  The rehearsals in ``tests/build`` run the same script on the real sources.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.build.rehearsal.variables import set_by
from tests.support.stand_ins import Machine

SNIPPETS = Path(__file__).parents[3] / "snippets" / "how_to"
SCRIPT = SNIPPETS / "get_vllm.sh"
SCRIPTS = sorted(SNIPPETS.glob("get_vllm*.sh"))

# Stands in front of the real interpreter: "-m pip" and "setup.py" are recorded, everything else is run.
PYTHON = f"""#!/bin/sh
case "$1 $2 $3" in
"-m pip list") printf 'numpy==2.2.6\\ntorch==2.11.0+rocm7.1\\ntorchvision==0.26.0\\ntriton==3.6.0\\n'; exit 0 ;;
"-m pip install"|"setup.py "*) echo "$@" >>"$CALLS" ;;
*) exec {sys.executable} "$@" ;;
esac
if [ "$4" = --constraint ]; then cat "$5" >"$CALLS.keep"; fi
if [ "$1" = setup.py ]; then mkdir -p dist; : >dist/vllm-0.24.0+rocm711-cp312.whl; sh -c "${{AFTER_BUILD:-:}}"; fi
"""
GIT = '#!/bin/sh\necho git "$@" >>"$CALLS"\n[ "$1" != clone ] || cp -r "$RELEASE" "$8"\nexit "${GIT_FAILS:-0}"\n'
RELEASE = {
    "CMakeLists.txt": 'set(HIP_SUPPORTED_ARCHS "gfx90a;gfx942;gfx950")\n',
    "pyproject.toml": '[project]\nrequires-python = ">=3.10,<3.15"\n',
    "requirements/rocm.txt": "",
    "requirements/build/rocm.txt": "-r ../common.txt\ntorch==2.11.0\ntorchvision==0.26.0\n",
    "cmake/external_projects/triton_kernels.cmake": '  set(TRITON_GIT "https://github.com/triton-lang/triton.git")\n',
    "rust-toolchain.toml": "[toolchain]\n",
    "csrc/cumem_allocator.cpp": "#ifdef USE_ROCM\n",
    "setup.py": "",
}


class Builder(Machine):
    """A machine to build on: ROCm, an interpreter with packages, git, a release to clone."""

    def package(self, name: str, text: str) -> None:
        """Write the module ``name`` where the script's interpreter finds it first."""
        self.write(f"packages/{name}/__init__.py", text)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script as a reader would, in this machine."""
        return subprocess.run(
            ["bash", SCRIPT, *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            env={
                "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
                "PYTHONPATH": str(self.root / "packages"),
                "ROCM_PATH": str(self.root / "rocm"),
                "CALLS": str(self.root / "calls"),
                "RELEASE": str(self.root / "release"),
                "TMPDIR": str(self.root),
                "GIB_PER_JOB": "1",
                "MAX_JOBS": "1",
                **environment,
            },
        )


@pytest.fixture
def machine(tmp_path: Path) -> Builder:
    """A machine on which the build should go through."""
    machine = Builder(tmp_path)
    machine.write("rocm/lib/libamdhip64.so", "")
    machine.command("python3", PYTHON)
    machine.command("git", GIT)
    for name, text in RELEASE.items():
        machine.write(f"release/{name}", text)
    version = "from types import SimpleNamespace\nversion = SimpleNamespace(hip='7.1.25424')\n"
    machine.package("torch", f"{version}__version__ = '2.11.0+rocm7.1'\n")
    machine.package("torchvision", "")
    machine.package("setuptools", "__version__ = '79.0.1'\n")
    machine.package("amdsmi", "")
    machine.package("vllm", "")
    machine.package("vllm/cumem_allocator", "")
    metadata = "Metadata-Version: 2.1\nName: vllm\nVersion: 0.24.0+rocm711\n"
    machine.write("packages/vllm-0.24.0.dist-info/METADATA", metadata)
    return machine


def stopped(machine: Builder, *arguments: str, **environment: str) -> str:
    """What the script says when it stops: one line, code 2, before anything was installed or built."""
    result = machine.run(*arguments, **environment)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1), result.stderr
    assert not [call for call in machine.calls if not call.startswith("git")]
    assert result.stderr.startswith("get_vllm: ")
    return result.stderr.removeprefix("get_vllm: ").strip()


@pytest.mark.block("how_to/get_vllm.sh", "arguments", "fetch", evidence="checked")
@pytest.mark.block("how_to/get_vllm.sh", "build", "verify", evidence="checked")
def test_the_order_of_the_steps(machine: Builder) -> None:
    result = machine.run()
    assert result.returncode == 0, result.stderr
    keep = machine.calls[2].split()[4]
    assert machine.calls == [
        "git clone --quiet --depth 1 --branch v0.24.0 https://github.com/vllm-project/vllm.git vllm-0.24.0",
        "git ls-remote --exit-code https://github.com/triton-lang/triton.git HEAD",
        f"-m pip install --constraint {keep} -r requirements/rocm.txt cmake>=3.26.1,<4 jinja2>=3.1.6 ninja"
        " packaging>=24.2 setuptools>=77.0.3,<80 setuptools-scm>=8 wheel",
        "setup.py bdist_wheel --dist-dir=dist",
        "-m pip install --no-deps --force-reinstall dist/vllm-0.24.0+rocm711-cp312.whl",
    ]
    kept = (machine.root / "calls.keep").read_text().split()
    assert kept == ["torch==2.11.0+rocm7.1", "torchvision==0.26.0", "triton==3.6.0"]
    assert result.stdout.split("\n")[-2] == "vllm 0.24.0+rocm711 torch 2.11.0+rocm7.1 HIP 7.1.25424"


def test_what_it_hands_to_the_build() -> None:
    assert set_by(SCRIPT.read_text()) == {"ROCM_PATH", "PYTORCH_ROCM_ARCH", "VLLM_TARGET_DEVICE", "MAX_JOBS"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    if not (shellcheck := shutil.which("shellcheck")):
        pytest.skip("shellcheck is not installed")
    result = subprocess.run([shellcheck, script], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")
    assert "set -euo pipefail" in script.read_text()


@pytest.mark.parametrize(
    ("text", "code"),
    [*((script.read_text(), 0) for script in SCRIPTS), ("if true; then\n", 2)],
    ids=range(len(SCRIPTS) + 1),
)
def test_bash_can_parse_it(text: str, code: int) -> None:
    assert subprocess.run(["bash", "-n"], input=text, text=True, stderr=subprocess.DEVNULL).returncode == code


def test_a_source_that_is_there_is_taken_as_it_is(machine: Builder) -> None:
    shutil.copytree(machine.root / "release", machine.root / "mine")
    assert machine.run("0.24.0", "gfx942;gfx950", "mine").returncode == 0
    assert not [call for call in machine.calls if call.startswith("git clone")]


def test_amdsmi_comes_from_rocm_where_it_is_missing(machine: Builder) -> None:
    machine.package("amdsmi", "raise KeyError('libamd_smi.so')")
    assert machine.run().returncode == 0
    assert machine.calls[3] == f"-m pip install {machine.root}/rocm/share/amd_smi"


def test_verify_sees_a_torch_that_was_swapped_during_the_build(machine: Builder) -> None:
    swap = f"echo 'version.hip = None' >>{machine.root}/packages/torch/__init__.py"
    result = machine.run(AFTER_BUILD=swap)
    assert (result.returncode, result.stderr) == (1, "torch is no ROCm build any more\n")


def test_verify_sees_a_missing_allocator(machine: Builder) -> None:
    shutil.rmtree(machine.root / "packages" / "vllm" / "cumem_allocator")
    result = machine.run()
    assert result.returncode == 1
    assert "No module named 'vllm.cumem_allocator'" in result.stderr


def test_a_release_without_sleep_mode_is_built_and_said_so(machine: Builder) -> None:
    machine.write("release/csrc/cumem_allocator.cpp", "// CUDA alone\n")
    shutil.rmtree(machine.root / "packages" / "vllm" / "cumem_allocator")
    result = machine.run()
    assert result.returncode == 0
    assert result.stderr == "get_vllm: note: vLLM 0.24.0 has no sleep mode on ROCm, which verl uses by default\n"


TORCH_WITHOUT_HIP = "__version__ = '2.11.0+cu130'\nclass version: hip = None"


@pytest.mark.block("how_to/get_vllm.sh", "check_machine", evidence="checked")
@pytest.mark.parametrize(
    ("package", "text", "says"),
    [
        ("torch", "raise ImportError('none')", "cannot import torch: install PyTorch for ROCm first"),
        ("torch", TORCH_WITHOUT_HIP, "torch 2.11.0 of .*/bin/python3 is no ROCm build: install PyTorch for ROCm first"),
        ("torchvision", "raise ImportError('none')", "cannot import torchvision: install the one that belongs to its"),
        ("setuptools", "__version__ = '80.9.0'", "setuptools 80.9.0 is too new: .*'setuptools>=77.0.3,<80'"),
    ],
)
def test_bad_interpreter(machine: Builder, package: str, text: str, says: str) -> None:
    machine.package(package, text)
    assert re.search(says, stopped(machine))
    assert machine.calls == []


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ROCM_PATH": "/no/rocm"}, r"no ROCm at ROCM_PATH=/no/rocm \(it lacks lib/libamdhip64.so\): install ROCm"),
        ({"PYTHON": "/no/python"}, "there is no /no/python: set PYTHON"),
        ({"MAX_JOBS": "99999"}, r"\d+ GiB are free, enough for MAX_JOBS=\d+ at 1 GiB a compiler: set MAX_JOBS or GIB"),
        ({"GIB_PER_JOB": "99999", "MAX_JOBS": ""}, "enough for MAX_JOBS=0 at 99999 GiB a compiler"),
        ({"GIB_PER_JOB": "0"}, "GIB_PER_JOB=0 and MAX_JOBS=1 must be whole numbers from 1 on"),
        ({"MAX_JOBS": "many"}, "GIB_PER_JOB=1 and MAX_JOBS=many must be whole numbers"),
    ],
)
def test_bad_machine(machine: Builder, environment: dict[str, str], says: str) -> None:
    assert re.search(says, stopped(machine, **environment))
    assert machine.calls == []


def test_a_setuptools_that_is_not_there_yet_is_no_fault(machine: Builder) -> None:
    machine.package("setuptools", "raise ImportError('none')")
    assert machine.run().returncode == 0


def test_without_max_jobs_as_many_run_as_memory_allows(machine: Builder) -> None:
    result = machine.run(MAX_JOBS="", GIB_PER_JOB="2", AFTER_BUILD='echo "jobs $MAX_JOBS"')
    jobs = re.search(r"^jobs (\d+)$", result.stdout, re.M)
    assert jobs and 1 <= int(jobs[1]) <= len(os.sched_getaffinity(0))


@pytest.mark.block("how_to/get_vllm.sh", "check_release", evidence="checked")
@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("pyproject.toml", 'requires-python = ">=3.99,<3.100"\n', r"wants Python >=3.99,<3.100, .* is 3\.\d+: make"),
        ("pyproject.toml", 'requires-python = ">=3.6,<3.8"\n', "wants Python >=3.6,<3.8"),
        ("pyproject.toml", "", "cannot read requires-python in .*/vllm-0.24.0/pyproject.toml"),
        ("requirements/build/rocm.txt", "torch==2.12.0+rocm7.14.0\n", "torch 2.11.0 is too old .* builds with 2.12.0"),
    ],
)
def test_bad_release(machine: Builder, name: str, text: str, says: str) -> None:
    machine.write(f"release/{name}", text)
    assert re.search(says, stopped(machine))


@pytest.mark.parametrize("arch", ["gfx900", "gfx942;gfx900", "MI300X", "gfx94"])
def test_an_arch_that_the_release_does_not_know(machine: Builder, arch: str) -> None:
    wrong = arch.split(";")[-1]
    assert stopped(machine, "0.24.0", arch) == f"vLLM 0.24.0 is not built for '{wrong}'; it knows gfx90a gfx942 gfx950"


@pytest.mark.parametrize("release", ["latest", "0.24", "v0.24.0", "0.24.0; rm -rf x"])
def test_a_release_that_is_none(machine: Builder, release: str) -> None:
    assert stopped(machine, release) == f"'{release}' is no release of vLLM: give one such as 0.24.0"


def test_no_way_to_github(machine: Builder) -> None:
    says = "cannot fetch v0.24.0 from https://github.com/vllm-project/vllm.git: check the release and the network"
    assert stopped(machine, GIT_FAILS="128").startswith(says)
    shutil.copytree(machine.root / "release", machine.root / "mine")
    says = "the build clones https://github.com/triton-lang/triton.git, which cannot be reached: set TRITON_KERNELS"
    assert stopped(machine, "0.24.0", "gfx942", "mine", GIT_FAILS="128").startswith(says)


def test_github_is_not_asked_where_the_release_needs_it_not(machine: Builder) -> None:
    shutil.copytree(machine.root / "release", machine.root / "mine")
    assert machine.run("0.24.0", "gfx942", "mine", GIT_FAILS="128", TRITON_KERNELS_SRC_DIR="/kernels").returncode == 0
    (machine.root / "mine" / "cmake" / "external_projects" / "triton_kernels.cmake").unlink()
    assert machine.run("0.24.0", "gfx942", "mine", GIT_FAILS="128").returncode == 0


def test_rust_is_missing_where_it_was_asked_for(machine: Builder) -> None:
    (machine.root / "bin" / "timeout").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    (machine.root / "bin" / "timeout").chmod(0o755)
    for tool in (
        "awk",
        "bash",
        "cat",
        "cp",
        "dirname",
        "grep",
        "head",
        "mkdir",
        "mktemp",
        "nproc",
        "realpath",
        "rm",
        "sed",
        "sh",
        "sort",
    ):
        (machine.root / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    only = str(machine.root / "bin")
    assert stopped(machine, PATH=only, VLLM_REQUIRE_RUST_FRONTEND="1").startswith(
        "VLLM_REQUIRE_RUST_FRONTEND is set, and there is no cargo: install Rust, or leave it out"
    )
    assert machine.run(PATH=only).returncode == 0
