"""The steps of a rehearsal, from cheap to dear; :data:`STEPS` says what is not real in each."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.build.rehearsal.bench import Bench, Done, Env
from tests.build.rehearsal.rocm import STANDINS, cmake_arguments, rocm
from tools.environment import ROOT, ensure

SCRIPT = ROOT / "snippets" / "how_to" / "get_vllm.sh"
TORCH = "PyTorch: the CPU build 2.13.0, made to say that it is built for HIP 7.0"
RECORDED = "cmake: a script that records how it is called and leaves empty libraries"
COMPILER = "the device compiler: a script that makes empty objects; host code is compiled by g++"
CMAKE_FILES = "ROCm's CMake files: cmake is told by hand what they would find"
RUNTIME = "libamdhip64: 5.2 of Debian 12; HIP headers: 7.1 of the triton wheel"
FOLDERS = "ROCM_PATH: a folder with the runtime, the headers and the stand-in compiler"
REQUIREMENTS = "pip install of the requirements: recorded, not made; torchvision, amdsmi: empty modules; GIB_PER_JOB=1"
KERNELS = "triton_kernels: an empty folder named by TRITON_KERNELS_SRC_DIR; Rust: left out"


@dataclass(frozen=True)
class Step:
    """A column of the table: its name, what really happens in it, and what is replaced."""

    name: str
    really: str
    replaced: tuple[str, ...] = ()


STEPS = {
    step.name: step
    for step in (
        Step("source", "the release's source archive is fetched from the package index; its sha256 is the pinned one"),
        Step("variables", "each variable that the script sets is looked up in what that source reads"),
        Step("version", "setup.py --version of that source", (TORCH, FOLDERS)),
        Step("develop", "setup.py develop --no-deps, setuptools 79.0.1", (TORCH, FOLDERS, RECORDED, KERNELS)),
        Step(
            "script",
            "get_vllm.sh from its first line to its last: checks, bdist_wheel, installation of the wheel, verification",
            (TORCH, FOLDERS, RECORDED, REQUIREMENTS, KERNELS),
        ),
        Step("allocator", "cumem_allocator is compiled by g++, linked, imported and called", (RUNTIME,)),
        Step(
            "configure",
            "cmake configures that source, for a known and for an unknown arch",
            (TORCH, CMAKE_FILES, KERNELS),
        ),
        Step(
            "link",
            "the ln line in a mount namespace; ld before and after",
            (RUNTIME, "sudo: a script, as root runs it"),
        ),
        Step(
            "build",
            "get_vllm.sh from its first line to its last, with the real setup.py, cmake, ninja, hipify, g++ and pip",
            (TORCH, FOLDERS, CMAKE_FILES, COMPILER, RUNTIME, REQUIREMENTS, KERNELS),
        ),
    )
}


class StepFailed(Exception):
    """A step ended in another way than it must; the end of its output."""


def _sound(done: Done, tail: int = 25) -> str:
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-tail:])
        raise StepFailed(f"{done.args} ended with {done.returncode}:\n{end}")
    return done.stdout


def version(bench: Bench, env: Env | None = None) -> str:
    """What ``setup.py --version`` says in ROCm mode."""
    return _sound(
        bench.run(["python3", "setup.py", "--version"], {"VLLM_TARGET_DEVICE": "rocm", **(env or {})})
    ).split()[-1]


def develop(bench: Bench, env: Env | None = None) -> list[list[str]]:
    """Every call of cmake that ``setup.py develop --no-deps`` makes."""
    _sound(bench.run(["python3", "setup.py", "develop", "--no-deps"], {"VLLM_TARGET_DEVICE": "rocm", **(env or {})}))
    return bench.calls()


def script(
    bench: Bench,
    arch: str = "gfx942",
    env: Env | None = None,
    *,
    path: Path = SCRIPT,
    compile: bool = False,
    limit: float = 300,
) -> Done:
    """Run the guide's script on the release; with ``compile`` all the way, otherwise with the recording cmake."""
    environment = bench.environment(env, compile=compile)
    return bench.call(["bash", path, bench.release, arch, bench.source], environment, limit, cwd=bench.root)


def targets(calls: list[list[str]]) -> list[str]:
    """Extensions that cmake was told to build."""
    return [word.removeprefix("--target=") for call in calls for word in call if word.startswith("--target=")]


def built_allocator(bench: Bench) -> Path:
    """Where :func:`allocator` leaves the library."""
    return bench.root / "cumem_allocator.abi3.so"


CALL = "import cumem_allocator as c; c.python_create_and_map(0, 2 << 20, 0, [1])"


def allocator(bench: Bench) -> str:
    """Compile, link, import and call the allocator behind sleep mode; the last line of what the call said."""
    root, include, library = rocm(), sysconfig.get_paths()["include"], built_allocator(bench)
    flags = [
        "-std=c++17",
        "-fPIC",
        "-shared",
        "-w",
        "-DUSE_ROCM",
        "-D__HIP_PLATFORM_AMD__=1",
        "-DPy_LIMITED_API=0x03080000",
    ]
    parts = ["-DTORCH_EXTENSION_NAME=cumem_allocator", f"-I{root}/include", f"-I{include}", "csrc/cumem_allocator.cpp"]
    _sound(bench.run(["g++", *flags, *parts, f"-L{root}/lib", "-lamdhip64", "-o", library]))
    return bench.run(["python3", "-c", CALL], cwd=bench.root).stdout.strip().splitlines()[-1]


def configure(
    bench: Bench,
    arch: str | None = "gfx942",
    env: Env | None = None,
    *,
    root: Path | None = None,
    detected: str = "gfx942",
) -> Done:
    """CMake's configure step; ``root`` is another ROCM_PATH.

    ``arch`` is PYTORCH_ROCM_ARCH, ``None`` leaves it out.  ``detected`` is what CMake would find with GPUs.
    """
    folder = bench.root / "configured"
    shutil.rmtree(folder, ignore_errors=True)
    environment = bench.environment(env) | ({"PYTORCH_ROCM_ARCH": arch} if arch else {})
    prefix = subprocess.run(
        [bench.python, "-c", "import torch; print(torch.utils.cmake_prefix_path)"], capture_output=True, text=True
    )
    definitions = [
        "-DVLLM_TARGET_DEVICE=rocm",
        f"-DVLLM_PYTHON_EXECUTABLE={bench.python}",
        f"-DROCM_PATH={root or rocm()}",
        f"-DCMAKE_PREFIX_PATH={prefix.stdout.strip()}",
    ]
    command: list[str | Path] = [
        ensure("build").parent / "cmake",
        "-S",
        bench.source,
        "-B",
        folder,
        "-G",
        "Ninja",
        *definitions,
        *cmake_arguments(rocm(), detected),
    ]
    return bench.call(command, environment, 300)


def link(folder: Path, line: str) -> Done:
    """What ld makes of ``-lamdhip64`` before and after a shell line, in a mount namespace; nothing outside changes."""
    command = ["unshare", "--mount", str(STANDINS / "link.sh"), str(rocm()), str(folder), line]
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
