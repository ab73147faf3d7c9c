"""The contracts of the vLLM and verl releases: what each names, with defaults. Written by ``make releases``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from packaging.version import Version

from .contract import Contract, Name, Names

HERE = Path(__file__).parent
PROJECTS = ("vllm", "verl")


@dataclass(frozen=True)
class Release:
    """One release. ``sections`` is the stored JSON, see ``verl_rocm/facts/README.md``."""

    project: str
    version: str
    sections: Contract

    def section(self, name: Names) -> dict[str, Name]:
        """Entries of a section by name; empty if this project has no such section."""
        return self.sections.get(name, {})

    def stated(self, section: str, name: str) -> Any:
        """A single value of a section such as ``rocm`` or ``graphs``; None where the source does not give it."""
        return cast(Mapping[str, Mapping[str, Any]], self.sections).get(section, {}).get(name)

    def engine_argument(self, name: str) -> Name | None:
        """Entry of a keyword that ``LLM(...)`` accepts by itself or hands on to ``EngineArgs``."""
        return self.section("engine_args").get(name) or self.section("llm").get(name)

    def override(self, key: str) -> Name | None:
        """Entry of a verl override key, of the FSDP trainer first, else of the Megatron one."""
        return self.section("keys").get(key) or self.section("megatron_keys").get(key)

    def reads(self, variable: str) -> bool | None:
        """Whether the source reads an environment variable; None if only part of the source was seen."""
        entry = self.section("env").get(variable)
        if entry is not None:
            return not entry.get("unused", False)
        return False if self.sections["whole"] else None


@lru_cache(maxsize=8)
def known(project: str, folder: Path = HERE) -> tuple[str, ...]:
    """Stored releases of a project, oldest first."""
    return tuple(sorted((p.stem for p in (folder / project).glob("*.json")), key=Version))


def readers(project: str, variable: str, folder: Path = HERE) -> tuple[str, ...]:
    """Stored releases of a project that read an environment variable, oldest first."""
    return tuple(version for version in known(project, folder) if release(project, version, folder).reads(variable))


@lru_cache(maxsize=128)
def release(project: str, version: str, folder: Path = HERE) -> Release:
    """The contract of a release.

    Raises:
        KeyError: it is not stored.
    """
    path = folder / project / f"{version}.json"
    if not path.is_file():
        raise KeyError(f"{project} {version} is not stored; run `make releases`")
    return Release(project, version, json.loads(path.read_text(encoding="utf-8")))
