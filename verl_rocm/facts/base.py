"""Everything known, as one object, and the error of facts that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .releases import HERE
from .schema import Gpu, Image, Issue, Knob


class FactsError(Exception):
    """Facts that cannot be used. The text is one line: file, entry, what is wrong, what to do."""


@dataclass(frozen=True)
class Facts:
    """Everything known. Images, knobs and issues by id; ``goal`` and ``file`` by id of either; releases by project."""

    gpus: dict[str, Gpu]
    knobs: dict[str, Knob]
    issues: dict[str, Issue]
    goal: dict[str, str]
    file: dict[str, str]
    images: dict[str, Image] = field(default_factory=dict)
    releases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    folder: Path = HERE

    def knob(self, name: str) -> Knob | None:
        """The knob of that name as typed, such as ``VLLM_ROCM_USE_AITER``."""
        return next((k for k in self.knobs.values() if k.name == name), None)
