"""Everything known, as one object, and the error of facts that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .conditions import ALLOCATOR
from .releases import HERE
from .schema import Gpu, Image, Issue, Setting, Where


class FactsError(Exception):
    """Facts that cannot be used. The text is one line: file, entry, what is wrong, what to do."""


@dataclass(frozen=True)
class Facts:
    """Everything known, by id; ``goal`` and ``file`` by id of a setting or issue, releases by project."""

    gpus: dict[str, Gpu]
    settings: dict[str, Setting]
    issues: dict[str, Issue]
    goal: dict[str, str]
    file: dict[str, str]
    images: dict[str, Image] = field(default_factory=dict)
    releases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    folder: Path = HERE

    def setting(self, name: str) -> Setting | None:
        """The setting of that name as typed, such as ``VLLM_ROCM_USE_AITER``."""
        return next((entry for entry in self.settings.values() if entry.name == name), None)

    def place(self, name: str) -> Where | None:
        """Where a name is set; None if nobody knows it.

        Beside the settings: what verl hands on under ``engine_kwargs``, and variables that a known issue looks at.
        """
        if entry := self.setting(name):
            return entry.where
        if ".engine_kwargs." in name:
            return "verl"
        variables = {v for issue in self.issues.values() for v in issue.applies_when.variables()} | {*ALLOCATOR}
        return "env" if name in variables else None
