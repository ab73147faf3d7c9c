"""What a build knows of blocks: regions, records and claims now; findings and shown blocks page by page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guide.claims import Claim, all_claims
from guide.records.base import RecordError
from guide.records.blocks import Record, load_all
from guide.regions import Fault, Region, scan_tree

if TYPE_CHECKING:
    from sphinx.environment import BuildEnvironment


@dataclass(frozen=True)
class State:
    """The project as it is on disk at the start of a build; the same for every page of it."""

    project: Path
    snippets: Path
    regions: dict[str, Region]
    faults: list[Fault]
    records: list[Record]
    claims: list[Claim]


@dataclass(frozen=True)
class Shown:
    """A page shows a region, in ``language``, with these statements of evidence below it."""

    docname: str
    region: str
    language: str
    statements: tuple[str, ...]


_states: dict[Path, State] = {}


def read_state(project: Path) -> State:
    """Read ``snippets/``, ``records/`` and the claims of ``tests/`` anew.

    A file that is no record becomes a fault, so that the build names it instead of stopping with a traceback.
    """
    snippets = project / "snippets"
    regions, faults = scan_tree(snippets)
    try:
        records = load_all(project / "records")
    except RecordError as error:
        records = []
        faults.append(Fault("record", "records", 1, str(error)))
    state = State(project, snippets, regions, faults, records, all_claims(project))
    _states[project] = state
    return state


def current(env: BuildEnvironment) -> State:
    """The state of this build; parallel readers inherit it, and a process that has none reads it."""
    project = Path(env.srcdir)
    return _states.get(project) or read_state(project)


class Findings:
    """The findings and the shown blocks of each page, kept in the environment.

    They are reported once at the end of every build, so that a page that is not read again is still reported.
    """

    def __init__(self, env: BuildEnvironment) -> None:
        if not hasattr(env, "block_findings"):
            env.block_findings = {}  # type: ignore[attr-defined]
            env.block_shown = {}  # type: ignore[attr-defined]
            env.block_tables = {}  # type: ignore[attr-defined]
        self.env = env
        self.faults: dict[str, list[Fault]] = env.block_findings  # type: ignore[attr-defined]
        self.shown: dict[str, list[Shown]] = env.block_shown  # type: ignore[attr-defined]
        self.tables: dict[str, str] = env.block_tables  # type: ignore[attr-defined]

    def add(self, kind: str, path: str, line: int, message: str) -> None:
        """Note a fault of the page being read."""
        self.faults.setdefault(self.env.docname, []).append(Fault(kind, path, line, message))

    def show(self, shown: Shown) -> None:
        """Note that the page being read shows a region."""
        self.shown.setdefault(shown.docname, []).append(shown)

    def forget(self, docname: str) -> None:
        """Drop all that is known of a page, before it is read again or because it is gone."""
        for kept in (self.faults, self.shown, self.tables):
            kept.pop(docname, None)

    def merge(self, docnames: list[str], other: BuildEnvironment) -> None:
        """Take over what a parallel reader found on ``docnames``."""
        theirs = Findings(other)
        for docname in docnames:
            for mine, source in ((self.faults, theirs.faults), (self.shown, theirs.shown)):
                if docname in source:
                    mine[docname] = source[docname]  # type: ignore[assignment]
            if docname in theirs.tables:
                self.tables[docname] = theirs.tables[docname]

    def all_shown(self) -> list[Shown]:
        """Every shown block, in the order of pages."""
        return [shown for docname in sorted(self.shown) for shown in self.shown[docname]]
