"""Machine descriptions made for the tests, and changes to them. None was recorded on AMD hardware."""

from __future__ import annotations

import copy
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from verl_rocm.check.machine import Machine
from verl_rocm.check.situation import Situation
from verl_rocm.facts.load import load

FOLDER = Path(__file__).parent / "machines"
FILES = sorted(FOLDER.glob("*.json"))
GONE = object()  # as a value: take the key out
Changes = dict[str, Any]


@lru_cache(maxsize=16)
def read(name: str) -> dict[str, Any]:
    """A file of ``machines/``; its ``machine`` is the description, ``expected`` the ids that it must give."""
    found: dict[str, Any] = json.loads((FOLDER / f"made_{name}.json").read_text())
    return found


def described(name: str = "mi300x_clean", **changes: Any) -> dict[str, Any]:
    """A description with fields replaced; those of a part by ``limits__nofile=1024``, of a table by a dict."""
    machine: dict[str, Any] = copy.deepcopy(read(name)["machine"])
    for field, value in changes.items():
        part, _, inner = field.partition("__")
        if inner:
            machine[part][inner] = value
        elif isinstance(value, dict) and part != "nodes":
            table = (machine[part] or {}) | value
            machine[part] = {key: kept for key, kept in table.items() if kept is not GONE}
        else:
            machine[part] = value
    return machine


def situation(
    name: str = "mi300x_clean", assumed: dict[str, str] | None = None, gpu: str | None = None, **changes: Any
) -> Situation:
    """What the rules see."""
    return Situation(Machine.model_validate(described(name, **changes)), load(), assumed or {}, gpu)
