"""Machine descriptions made for the tests, and changes to them. None was recorded on AMD hardware."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel

from verl_rocm.check.machine import Machine
from verl_rocm.check.situation import Situation
from verl_rocm.facts.load import load

FOLDER = Path(__file__).parent / "machines"
FILES = sorted(FOLDER.glob("*.json"))


GONE = object()  # as a value: take the key out


class Expected(BaseModel):
    """Ids that a description must give."""

    findings: list[str]
    notes: list[str]


class Example(BaseModel):
    """A file of ``machines/``: a description, and the ids that it must give."""

    machine: dict[str, object]
    expected: Expected


@lru_cache(maxsize=16)
def read(name: str) -> Example:
    """A file of ``machines/``."""
    return Example.model_validate_json((FOLDER / f"made_{name}.json").read_text())


def described(name: str = "mi300x_clean", /, **changes: object) -> dict[str, object]:
    """A description with fields replaced; those of a part by ``limits__nofile=1024``, of a table by a dict."""
    machine = read(name).model_copy(deep=True).machine
    for field, value in changes.items():
        part, _, inner = field.partition("__")
        before = machine[part]
        if inner:
            assert isinstance(before, dict)
            before[inner] = value
        elif isinstance(value, dict) and part != "nodes":
            table = (before if isinstance(before, dict) else {}) | value
            machine[part] = {key: kept for key, kept in table.items() if kept is not GONE}
        else:
            machine[part] = value
    return machine


def situation(
    changes: Mapping[str, object] = {},
    /,
    name: str = "mi300x_clean",
    assumed: dict[str, str] | None = None,
    gpu: str | None = None,
    **more: object,
) -> Situation:
    """What the rules see of a description with ``changes`` and ``more`` of them."""
    return Situation(Machine.model_validate(described(name, **changes, **more)), load(), assumed or {}, gpu)
