"""``records/recipes/<machine class>.json``: runs of the guide's training recipes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from guide.records.base import Model, read, write_json
from guide.records.blocks import Machine, Software


class Training(Model):
    """One run that passed its test.

    ``seconds`` is the wall-clock time of the whole run, ``step_seconds`` verl's time of each step, ``peak_host_gib``
    the highest memory of all its processes in GiB, ``reward`` the mean reward of each step.  The last two are verl's
    own comparison of the probabilities of rollout and actor, the worst step of each.
    """

    ended: datetime
    commit: str | None = None
    clean: bool
    machine: Machine
    software: Software
    steps: int
    seconds: float
    step_seconds: list[float]
    peak_host_gib: float
    reward: list[float]
    rollout_probs_diff_mean: float | None = None
    rollout_actor_probs_pearson: float | None = None


class Recipes(Model):
    """The last run of each recipe and number of steps, by ``<recipe>-<steps>``, on one machine class."""

    schema_version: Literal[1] = 1
    conditions: dict[str, str] = Field(default_factory=dict)
    not_exercised: list[str] = Field(default_factory=list)
    runs: dict[str, Training] = Field(default_factory=dict)


def load(path: Path) -> Recipes:
    """The record, without runs where there is none; :class:`RecordError` if the file is not one."""
    if not path.is_file():
        return Recipes()
    return read(Recipes, path, "no record of recipes", "restore it with git, or run make recipe")


def save(record: Recipes, path: Path) -> None:
    """Write the record atomically."""
    write_json(path, record.model_dump(mode="json", exclude_none=True), sort_keys=True)
