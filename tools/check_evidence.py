"""Compare every ``release`` evidence of the facts with the file and line that it names, in the published package.

``python -m tools.check_evidence [id ...]`` downloads each release that is cited (of these entries, or of all), reads
the lines and throws the package away. It exits 1 if words do not stand where an entry says.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.contracts.download import DownloadError, fetch
from verl_rocm.facts.base import Facts, FactsError
from verl_rocm.facts.evidence import Evidence, Release
from verl_rocm.facts.load import read
from verl_rocm.facts.releases import HERE
from verl_rocm.facts.schema import Entry, Image, Setting

LARGE = {"torch": "its wheel has 900 MB"}
Cited = tuple[str, Release]


def evidence_of(entry: Entry | Image) -> Iterator[Evidence]:
    """All evidence of an entry, that of its advice, patches and conflict included."""
    yield from entry.evidence
    if isinstance(entry, Setting):
        for advice in entry.advice:
            yield from advice.evidence
    if isinstance(entry, Image):
        for patch in entry.patches:
            yield from patch.evidence
    if isinstance(entry, Setting | Image):
        for position in entry.conflict.positions if entry.conflict else []:
            yield from position.evidence


def cited(facts: Facts, ids: Sequence[str] = ()) -> dict[tuple[str, str], list[Cited]]:
    """``release`` evidence with the id of its entry, by project and release."""
    values: dict[tuple[str, str], list[Cited]] = defaultdict(list)
    entries: list[Entry | Image] = [*facts.settings.values(), *facts.issues.values(), *facts.images.values()]
    for entry in entries:
        if not ids or entry.id in ids:
            for item in evidence_of(entry):
                if isinstance(item, Release):
                    values[item.project, item.release].append((entry.id, item))
    return dict(values)


def compare(root: Path, items: list[Cited]) -> Iterator[str]:
    """One line for each piece of evidence that does not hold below ``root``."""
    for entry, item in items:
        path = root / item.file
        where = f"{entry}: {item.project} {item.release} {item.file}:{item.line}"
        if not path.is_file():
            yield f"{where}: no such file in the package"
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        if item.line <= len(lines) and item.text in lines[item.line - 1]:
            continue
        elsewhere = [number for number, line in enumerate(lines, start=1) if item.text in line]
        yield f"{where}: {item.text!r} is not on that line; it is on {elsewhere[:5] or 'none'}"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 1 if evidence does not hold, 2 if the facts or a release cannot be read."""
    parser = argparse.ArgumentParser(prog="check_evidence", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("ids", nargs="*", help="entries to check; all if none is named")
    options = parser.parse_args(argv)
    wrong = checked = 0
    try:
        for (project, release), items in sorted(cited(read(HERE), options.ids).items()):
            if project in LARGE:
                print(f"{project} {release}: {len(items)} not compared, {LARGE[project]}")
                continue
            files = {item.file for _, item in items}
            with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
                unpacked = fetch(project, release, Path(folder), files.__contains__)
                for fault in compare(unpacked.root, items):
                    print(fault, flush=True)
                    wrong += 1
            checked += len(items)
    except (FactsError, DownloadError) as error:
        print(f"check_evidence: {error}", file=sys.stderr)
        return 2
    print(f"{checked} lines compared, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
