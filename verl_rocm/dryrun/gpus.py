"""The identity of a GPU, from the facts; read as plain data, because the child waits for it."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

from verl_rocm.worker.wire import Identity

FILE = Path(__file__).resolve().parents[1] / "facts" / "gpus.toml"


class UnknownGpu(Exception):
    """Not a GPU of this guide; one line that names those that are."""


def known(file: Path = FILE) -> dict[str, Identity]:
    """One GPU of each kind, by name."""
    entries = tomllib.loads(file.read_text(encoding="utf-8"))["gpu"]
    fields = ("name", "arch", "memory_gib", "compute_units", "fp8")
    return {
        entry["name"]: Identity(**{name: entry[name] for name in fields}, pci=entry["pci"][0], count=1)
        for entry in entries
    }


def identity(name: str, count: int) -> Identity:
    """What a dry run answers for ``count`` GPUs of that name.

    Raises:
        UnknownGpu: the facts have no such GPU.
    """
    gpus = known()
    gpu = next((entry for key, entry in gpus.items() if key.lower() == name.strip().lower()), None)
    if gpu is None:
        near = difflib.get_close_matches(name.upper(), gpus, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UnknownGpu(f"GPU {name!r} is not known: {hint}known are {', '.join(gpus)}")
    return gpu.model_copy(update={"count": count})
