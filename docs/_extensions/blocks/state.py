"""What a build knows of the project on disk: regions, records and claims."""

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
