"""Models of the hand-written facts. Every field is explained in ``verl_rocm/facts/README.md``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from .conditions import Conditions
from .evidence import Day, Evidence, Positive, Proof, Record, Text
from .versions import Versions

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
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Value = bool | int | float | str | list[bool | int | float | str]


class Unknown(Record):
    """A figure that no source confirms, and why."""

    unknown: Text


def _kind(value: object) -> str:
    """Which form of a figure is meant, so that a fault in it is told of that form alone."""
    return "_reason" if isinstance(value, dict | Unknown) else "_none" if isinstance(value, str) else "_figure"


_Reason = Annotated[Unknown, Tag("_reason")]
_NoFigure = Annotated[Literal["none"], Tag("_none")]
_Amount = Annotated[Annotated[float, Field(gt=0)], Tag("_figure")]
_Count = Annotated[Positive, Tag("_figure")]
_Modes = Annotated[list[Literal["SPX", "DPX", "TPX", "QPX", "CPX"]], Field(min_length=1), Tag("_figure")]
Amount = Annotated[_Amount | _NoFigure | _Reason, Discriminator(_kind)]
Count = Annotated[_Count | _NoFigure | _Reason, Discriminator(_kind)]


class MatrixPeaks(Record):
    """Dense peak of the matrix cores by type of the operands, TFLOP/s; ``none`` where they do not have the type."""

    fp32: Amount
    fp16: Amount
    bf16: Amount
    fp8: Amount
    fp6: Amount
    fp4: Amount


class Gpu(Record):
    """One GPU as ROCm shows it; units stand at the top of ``gpus.toml``. No figure may be left out."""

    name: Text
    arch: Annotated[str, StringConstraints(pattern=r"^gfx[0-9a-f]{3,4}$")]
    memory_gib: Positive
    bandwidth_tbs: Amount
    compute_units: Positive
    fp8: Literal["e4m3fnuz", "e4m3fn", "none"]
    matrix_tflops: MatrixPeaks
    infinity_cache_mib: Count
    links: Count
    link_gbs: Amount
    host_gbs: Amount
    partition_modes: Annotated[_Modes | _Reason, Discriminator(_kind)]
    board_watts: Count
    pci: Annotated[list[Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{4}$")]], Field(min_length=1)]
    evidence: Proof
    checked: Day

    @model_validator(mode="after")
    def _one_fp8(self) -> Gpu:
        if (self.fp8 == "none") != (self.matrix_tflops.fp8 == "none"):
            raise ValueError(f"fp8 is {self.fp8!r} and matrix_tflops.fp8 {self.matrix_tflops.fp8!r}; make them agree")
        return self


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


class Position(Record):
    """One side of a conflict between sources."""

    value: Value
    who: Text
    evidence: Proof


class Dispute(Record):
    """Sources disagree: all positions, and what decides between them."""

    positions: Annotated[list[Position], Field(min_length=2)]
    decides: Text

    @model_validator(mode="after")
    def _differ(self) -> Dispute:
        if len({repr(p.value) for p in self.positions}) < 2:
            raise ValueError("all positions have the same value; a conflict needs two values")
        return self


class Patch(Record):
    """A change that an image makes to what it installs. The issue that it works around says which versions end it."""

    what: Text
    issue: Identifier | None = None
    evidence: Proof


class Image(Record):
    """A container image, or a Dockerfile that nobody publishes an image of (``name`` is then its path).

    ``None`` in a version: no source states it.  ``unknown`` names what a reader might look for and no source states.
    """

    id: Identifier
    name: Text
    by: Text
    use: Text
    published: bool = True
    rocm: Text | None = None
    python: Text | None = None
    torch: Text | None = None
    vllm: Text | None = None
    verl: Text | None = None
    archs: Annotated[list[Annotated[str, StringConstraints(pattern=r"^gfx[0-9a-f]{3,4}$")]], Field(min_length=1)]
    sets: dict[str, Value] = Field(default_factory=dict)
    patches: tuple[Patch, ...] = ()
    conflict: Dispute | None = None
    unknown: tuple[Text, ...] = ()
    see: tuple[Identifier, ...] = ()
    evidence: Proof
    checked: Day

    @model_validator(mode="after")
    def _pinned(self) -> Image:
        name = self.name.rpartition("/")[2]
        if self.published and not re.search(r":\w|@sha256:[0-9a-f]{64}$", name):
            raise ValueError(f"{self.name!r} names no tag; add one, or set published = false")
        return self


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
