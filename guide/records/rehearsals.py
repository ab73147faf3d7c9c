"""The record of ``make test-build``: every step of every rehearsed build of vLLM."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from guide.records.base import Model, read, write_json

RECORD = Path("records") / "build" / "rehearsals.json"


class Step(Model):
    """What really happens in a step, and what stands in for something that is not there."""

    really: str
    replaced: list[str]


class Result(Model):
    """One step of one release.  ``load`` is the load average of the last minute when it ended."""

    status: Literal["passed", "failed"]
    seconds: float
    seen: str
    ended: datetime
    load: float
    commit: str | None
    clean: bool


class Rehearsals(Model):
    """All steps of all releases, on one machine; a step that is run again replaces its result."""

    schema_version: Literal[1] = 1
    machine: str
    steps: dict[str, Step] = Field(default_factory=dict)
    results: dict[str, dict[str, Result]] = Field(default_factory=dict)


def load(path: Path) -> Rehearsals | None:
    """The record, or ``None`` where there is none; :class:`RecordError` if the file is not one."""
    return read(Rehearsals, path, "no record of rehearsals", "restore it with git") if path.is_file() else None


def save(record: Rehearsals, path: Path) -> None:
    """Write the record atomically."""
    write_json(path, record.model_dump(mode="json"), sort_keys=False)
