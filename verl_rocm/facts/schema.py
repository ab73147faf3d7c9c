"""Models of the hand-written facts. Every field is explained in ``verl_rocm/facts/README.md``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .conditions import Conditions
from .disputes import Dispute, Identifier, Value
from .evidence import Day, Evidence, Proof, Record, Text
from .gpus import Gpu, MatrixPeaks, Unknown
from .images import Image, Patch
from .versions import Versions

__all__ = [
    "Advice",
    "Confidence",
    "Conflict",
    "Default",
    "Dispute",
    "Entry",
    "Fix",
    "Goal",
    "Gpu",
    "Identifier",
    "Image",
    "Issue",
    "MatrixPeaks",
    "Patch",
    "Setting",
    "SleepFailure",
    "Unknown",
    "Value",
    "Where",
]

Where = Literal["verl", "vllm", "compilation_config", "env", "container", "host", "sglang"]
Goal = Literal[
    "sleep",
    "graphs",
    "memory",
    "batching",
    "parallelism",
    "kernels",
    "communication",
    "devices",
    "weight_sync",
    "training",
    "precision",
    "build",
    "host",
    "observe",
]
# Ways in which `verl-rocm sleep-check` sees sleep mode fail.
SleepFailure = Literal[
    "not freed",
    "partly freed",
    "not back",
    "more after",
    "text changed",
    "long text changed",
    "logprobs changed",
    "memory grows",
    "files grow",
    "not repeatable",
    "raised",
    "too few cycles",
]
Confidence = Literal["confirmed", "reported", "unconfirmed"]


class Default(Record):
    """The value when nobody sets it, and who sets it, for a range of versions."""

    value: Value
    set_by: Text
    versions: Versions = Versions()


class Advice(Record):
    """A recommended value, for whom and why. ``evidence`` adds to that of the setting."""

    value: Value
    for_whom: Text
    why: Text
    versions: Versions = Versions()
    evidence: tuple[Evidence, ...] = ()


class Entry(Record):
    """What settings and issues share."""

    id: Identifier
    confidence: Confidence
    evidence: Proof
    checked: Day
    see: tuple[Identifier, ...] = ()


class Setting(Entry):
    """One setting."""

    name: Text
    where: Where
    read_by: Text
    what: Text
    kind: Literal["bool", "int", "float", "str", "enum", "list", "dict"]
    unit: str = ""
    choices: tuple[str, ...] = ()
    versions: Versions = Versions()
    default: Annotated[list[Default], Field(min_length=1)]
    advice: tuple[Advice, ...] = ()
    cost: str = ""
    conflict: Dispute | None = None
    confidence: Confidence = "confirmed"

    @model_validator(mode="after")
    def _spelled(self) -> Setting:
        pattern = {"env": r"[A-Za-z_]\w*", "verl": r"[\w.@]+", "vllm": r"\w+", "compilation_config": r"[\w.]+"}
        if not re.fullmatch(pattern.get(self.where, ".+"), self.name):
            raise ValueError(f"{self.name!r} cannot be typed where={self.where!r}; write the bare name")
        if self.kind == "enum" and not self.choices:
            raise ValueError("kind 'enum' needs choices; list them or use kind 'str'")
        return self


class Fix(Record):
    """One way out, best first in its list: settings, a command, an upgrade, or a plain instruction.

    ``settings`` are values by the name of a setting, ``unset`` for a variable to leave out; ``command`` is a line for
    what no setting does.  ``upgrade`` beside ``settings``: the releases from which on they do it.
    """

    text: Text
    settings: dict[Text, Value] = Field(default_factory=dict)
    command: Text | None = None
    upgrade: Versions | None = None


class Conflict(Record):
    """The issue whose fix asks for the opposite, and what decides."""

    id: Identifier
    decides: Text


class Issue(Entry):
    """One known issue, as a user meets it."""

    title: Text
    group: Identifier
    description: Text
    symptoms: tuple[Text, ...] = ()
    sleep_failures: tuple[SleepFailure, ...] = ()
    cause: Text
    diagnosis: Text
    fixes: Annotated[list[Fix], Field(min_length=1)]
    applies_when: Conditions
    versions: Versions
    fixed_in: tuple[Versions, ...] = ()
    conflicts_with: tuple[Conflict, ...] = ()

    def affects(self, installed: Mapping[str, str | None]) -> bool | None:
        """Whether these versions have it: in the range and in none of ``fixed_in``; None if that cannot be decided."""
        inside = self.versions.match(installed)
        ended = [versions.match(installed) for versions in self.fixed_in]
        if inside is False or True in ended:
            return False
        return None if inside is None or None in ended else True
