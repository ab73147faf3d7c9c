"""A folder that plays ROCM_PATH: AMD's runtime from Debian, AMD's headers from the triton wheel, no real compiler."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.build.rehearsal.sources import CACHE, Missing
from tools.environment import DEFAULT_ENGINE, ensure, site_packages

STANDINS = Path(__file__).parent / "standins"
# libamdhip64 and what it loads.  Taken apart, not installed: nothing of the system changes.
PACKAGES = (
    "libamdhip64-5",
    "libamd-comgr2",
    "libhsa-runtime64-1",
    "libhsakmt1",
    "libdrm-amdgpu1",
    "libdrm2",
    "libnuma1",
    "libelf1",
)
# What CMake wants to find beside a HIP compiler.
HIP_LANG = """\
add_library(hip-lang::device INTERFACE IMPORTED)
set(_CMAKE_HIP_DEVICE_RUNTIME_TARGET hip-lang::device)
"""


def headers() -> Path:
    """AMD's HIP headers, as the triton wheel of the engine environment carries them."""
    include = site_packages(ensure(f"cpu-{DEFAULT_ENGINE}")) / "triton" / "backends" / "amd" / "include"
    if not (include / "hip" / "hip_runtime_api.h").is_file():
        raise Missing(f"no HIP headers in {include.relative_to(include.parents[3])} of the engine environment")
    return include


def _unpack_debian(target: Path) -> None:
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not there: libamdhip64 is taken from Debian 12's packages")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *PACKAGES],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            message = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise Missing(f"libamdhip64 cannot be fetched from Debian: {message}")
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(target)], check=True)


def rocm(cache: Path = CACHE) -> Path:
    """The folder to give as ROCM_PATH, made once.

    Raises:
        Missing: a part of it can be had neither here nor from Debian.
    """
    target = cache / "rocm"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        draft = Path(folder) / "rocm"
        _unpack_debian(Path(folder) / "debian")
        shutil.copytree(
            next((Path(folder) / "debian" / "usr" / "lib").glob("*-linux-gnu")), draft / "lib", symlinks=True
        )
        (draft / "lib" / "libamdhip64.so").symlink_to("libamdhip64.so.5")
        shutil.copytree(headers(), draft / "include")
        compiler = draft / "lib" / "llvm" / "bin" / "clang++"
        compiler.parent.mkdir(parents=True)
        shutil.copy(STANDINS / "clang++", compiler)
        config = draft / "lib" / "cmake" / "hip-lang" / "hip-lang-config.cmake"
        config.parent.mkdir(parents=True)
        config.write_text(HIP_LANG, encoding="utf-8")
        draft.rename(target)
    return target


def cmake_arguments(root: Path, arch: str) -> list[str]:
    """What CMake is told in place of PyTorch's own ROCm files and of a compiler test that a stand-in cannot pass."""
    return [
        "-DPYTORCH_FOUND_HIP=TRUE",
        "-DHIP_FOUND=TRUE",
        f"-DCMAKE_HIP_COMPILER={root}/lib/llvm/bin/clang++",
        "-DCMAKE_HIP_COMPILER_FORCED=TRUE",
        "-DCMAKE_HIP_COMPILER_WORKS=TRUE",
        "-DCMAKE_HIP_COMPILER_ID=Clang",
        f"-DCMAKE_HIP_ARCHITECTURES={arch}",
        f"-DCMAKE_HIP_COMPILER_ROCM_ROOT={root}",
        f"-DCMAKE_HIP_COMPILER_ROCM_LIB={root}/lib",
        "-DCMAKE_HIP_PLATFORM=amd",
    ]
