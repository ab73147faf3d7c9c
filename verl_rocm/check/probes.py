"""Reads the machine into a :class:`Machine`: files of the kernel and of ROCm. Nothing here writes or starts a GPU."""

from __future__ import annotations

import os
import platform
import re
import resource
from collections.abc import Collection, Mapping
from pathlib import Path

from verl_rocm.check import packages
from verl_rocm.check.machine import HIDDEN, Device, Limits, Machine, Node

ROOT = Path("/")
GIB = 2**30
# Recorded by name only, unless a rule needs the value: settings of vLLM and verl of which the facts know nothing may be
# dead.
PREFIXES = ("VLLM_", "VERL_")
BOOT = re.compile(r"(?:amd_|intel_)?iommu(?:\.\w+)?=\S+|pci=\S+")


def text(path: Path) -> str | None:
    """A small file of the kernel without its line end; None if it is not there or may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def arch(version: int) -> str:
    """``gfx_target_version`` as ROCm names it: 90402 is gfx942, 90010 is gfx90a."""
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"


def properties(path: Path) -> dict[str, int] | None:
    """A properties file of the kernel's topology; None if it is there and may not be read."""
    lines = [line.split() for line in (text(path) or "").splitlines()]
    entries = {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdecimal()}
    return entries or None


def gpus(root: Path = ROOT) -> tuple[tuple[Device, ...], int]:
    """The GPUs of the kernel's topology, and how many nodes of it this container may not read."""
    folder = root / "sys/class/kfd/kfd/topology/nodes"
    nodes = sorted((n for n in folder.glob("*") if n.name.isdecimal()), key=lambda n: int(n.name))
    result, hidden = [], 0
    for node in nodes:
        of_node = properties(node / "properties")
        if of_node is None:
            hidden += 1
        elif version := of_node.get("gfx_target_version"):
            result.append(
                Device(arch=arch(version), pci=f"{of_node.get('device_id', 0):#06x}", memory_gib=memory(node))
            )
    return tuple(result), hidden


def memory(node: Path) -> float | None:
    """VRAM of a GPU node in GiB: its banks of heap type 1 (visible to the host) and 2 (private)."""
    banks = [properties(bank) or {} for bank in node.glob("mem_banks/*/properties")]
    sizes = [bank.get("size_in_bytes", 0) for bank in banks if bank.get("heap_type") in (1, 2)]
    return round(sum(sizes) / GIB, 1) if sizes else None


def device_files(root: Path = ROOT) -> dict[str, Node]:
    """/dev/kfd and the render nodes."""
    files = [root / "dev/kfd", *sorted((root / "dev/dri").glob("renderD*"))]
    return {
        f"/{f.relative_to(root)}": Node(opens=os.access(f, os.R_OK | os.W_OK), group=group(f))
        for f in files
        if f.exists()
    }


def group(path: Path) -> str | None:
    """The group of a file: its name, or its number where the container has no name for it."""
    try:
        return path.group()
    except KeyError:
        return str(path.stat().st_gid)
    except OSError:
        return None


def variables(environ: Mapping[str, str], settings: Collection[str]) -> dict[str, str]:
    """The environment variables that matter; values only of ``settings`` and of what the rules look at."""
    shown = {*settings}
    kept = {name for name in environ if name in shown or name.startswith(PREFIXES)}
    return {n: environ[n][:1000] if n in shown or not environ[n] else HIDDEN for n in sorted(kept)}


def rocm(root: Path, environ: Mapping[str, str], installed: Mapping[str, str]) -> str | None:
    """The ROCm release: of the tree under ROCM_PATH or /opt/rocm, else of ROCm's own Python packages."""
    named = environ.get("ROCM_PATH", "").strip("/")
    trees = [root / named] if named else []
    for tree in (*trees, root / "opt/rocm"):
        if version := re.match(r"\d+(\.\d+)+", text(tree / ".info/version") or ""):
            return version[0]
    return installed.get("rocm") or installed.get("rocm-sdk-core")


def limits() -> Limits:
    """Soft limits of this process, which what it starts inherits."""
    names = {"memlock": resource.RLIMIT_MEMLOCK, "stack": resource.RLIMIT_STACK, "nofile": resource.RLIMIT_NOFILE}
    return Limits(**{name: resource.getrlimit(number)[0] for name, number in names.items()})


def shm_gib(root: Path = ROOT) -> float | None:
    """Size of /dev/shm in GiB."""
    try:
        result = os.statvfs(root / "dev/shm")
    except OSError:
        return None
    return round(result.f_blocks * result.f_frsize / GIB, 2)


def probe(settings: Collection[str], environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> Machine:
    """This machine. ``settings``: the environment variables whose values may be recorded."""
    result, hidden = gpus(root)
    installed = packages.installed()
    balancing = text(root / "proc/sys/kernel/numa_balancing") or ""
    return Machine(
        kernel=platform.release(),
        boot=tuple(BOOT.findall(text(root / "proc/cmdline") or "")),
        container=any((root / name).exists() for name in (".dockerenv", "run/.containerenv", ".singularity.d")),
        gpus=result,
        hidden_gpus=hidden,
        driver_loaded=(root / "sys/module/amdgpu").is_dir(),
        driver=text(root / "sys/module/amdgpu/version"),
        rocm=rocm(root, environ, installed),
        python=platform.python_version(),
        packages=installed,
        torch=packages.torch(),
        amdsmi=packages.amdsmi(),
        environment=variables(environ, settings),
        limits=limits(),
        shm_gib=shm_gib(root),
        nodes=device_files(root),
        numa_nodes=len(list((root / "sys/devices/system/node").glob("node[0-9]*"))),
        numa_balancing=int(balancing) if balancing.isdecimal() else None,
    )
