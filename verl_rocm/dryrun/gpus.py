"""The identity of a GPU, from ``verl_rocm/facts/gpus.toml``; read as plain data, because the child waits for it."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "facts" / "gpus.toml"


class UnknownGpu(Exception):
    """Not a GPU of this guide; one line that names those that are."""


def known(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """GPUs by name, as the file has them."""
    return {entry["name"]: entry for entry in tomllib.loads(file.read_text(encoding="utf-8"))["gpu"]}


def identity(name: str, count: int) -> dict[str, Any]:
    """What a dry run answers for ``count`` GPUs of that name.

    Raises:
        UnknownGpu: the file has no such GPU.
    """
    all_known = known()
    found = next((entry for key, entry in all_known.items() if key.lower() == name.strip().lower()), None)
    if found is None:
        near = difflib.get_close_matches(name.upper(), all_known, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UnknownGpu(f"GPU {name!r} is not known: {hint}known are {', '.join(all_known)}")
    return {
        "name": found["name"],
        "arch": found["arch"],
        "memory_gib": found["memory_gib"],
        "pci": found["pci"][0],
        "compute_units": found["compute_units"],
        "fp8": found["fp8"],
        "count": count,
    }
