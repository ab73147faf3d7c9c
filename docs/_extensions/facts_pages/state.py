"""The facts of this build: read once at its start, inherited by parallel readers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from verl_rocm.facts.base import Facts, FactsError
from verl_rocm.facts.checks import check
from verl_rocm.facts.load import read
from verl_rocm.facts.releases import known, release

if TYPE_CHECKING:
    from sphinx.environment import BuildEnvironment

_loaded: dict[Path, Facts | None] = {}


def begin(project: Path) -> str:
    """Read ``verl_rocm/facts/`` of ``project`` anew; what is wrong with it, or empty text."""
    folder = project / "verl_rocm" / "facts"
    known.cache_clear()  # a file may have changed since another build of this process
    release.cache_clear()
    _loaded[project] = None
    try:
        facts = read(folder)
        check(facts)
        for name, versions in facts.releases.items():
            for version in versions:
                _contract(name, version, folder)
    except FactsError as error:
        return str(error)
    _loaded[project] = facts
    return ""


def _contract(project: str, version: str, folder: Path) -> None:
    try:
        release(project, version, folder)
    except ValueError as error:
        raise FactsError(
            f"verl_rocm/facts/{project}/{version}.json: no valid JSON: {error}; restore it or run `make releases`"
        ) from None


def current(env: BuildEnvironment) -> Facts | None:
    """The facts of this build; None if they could not be loaded."""
    project = Path(env.srcdir)
    if project not in _loaded:
        begin(project)
    return _loaded[project]
