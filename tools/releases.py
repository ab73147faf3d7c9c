"""Keep ``verl_rocm/facts/{vllm,verl}``: what each published release names, with defaults. Run by ``make releases``.

``python -m tools.releases`` extracts every release that is not stored yet. ``--check`` stores nothing: it reports what
the newest release on the index changes of what the guide uses, and exits 1 if something changed.
``--between vllm 0.32.0 0.33.0`` reports on two stored releases. ``--again`` extracts all of them anew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.contracts import store, verl, vllm
from tools.contracts.download import DownloadError, Unpacked, fetch, releases
from tools.contracts.drift import Change, changes
from tools.names.used import used_names
from verl_rocm.facts.base import FactsError
from verl_rocm.facts.contract import Contract
from verl_rocm.facts.load import read

FACTS = Path(__file__).parent.parent / "verl_rocm" / "facts"
SINCE = {"vllm": "0.8.4", "verl": "0.3.0"}
READERS: dict[str, Callable[[Unpacked], Contract]] = {"vllm": vllm.contract, "verl": verl.contract}


def extract(project: str, release: str) -> Contract:
    """Download a release, read it, throw it away."""
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        return Contract(release=release) | READERS[project](fetch(project, release, Path(folder)))


def update(again: bool) -> list[Path]:
    """Store the contracts that are missing, or all of them."""
    written = []
    for project, since in SINCE.items():
        for release in releases(project, since):
            path = FACTS / project / f"{release}.json"
            if again or not path.exists():
                store.write(path, extract(project, release))
                written.append(path)
                print(f"{project} {release}: {path.stat().st_size / 1024:.0f} KiB", flush=True)
    return written


def newest(project: str) -> list[Change]:
    """What the newest release on the index changes against the newest stored one; stored itself, it is reviewed."""
    stored = store.stored(FACTS / project)
    latest = releases(project, SINCE[project])[-1]
    if latest in stored:
        print(f"{project} {latest}: stored, so nothing is new")
        return []
    return report(project, store.read(FACTS / project, stored[-1]), extract(project, latest))


def report(project: str, old: Contract, new: Contract) -> list[Change]:
    """Print what changed between two contracts; return what the guide uses of it."""
    result = changes(project, old, new)
    used = used_names(FACTS.parent, read(FACTS))
    hits = [c for c in result if c.name in used]
    print(f"{project} {old['release']} -> {new['release']}: {len(result)} changes, {len(hits)} of names the guide uses")
    for change in hits:
        print(f"  {change} (named in {', '.join(sorted(used[change.name])[:3])})")
    return hits


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 1 if something that the guide uses changed, 2 if a release could not be read."""
    parser = argparse.ArgumentParser(prog="releases", description=__doc__.splitlines()[0])
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true", help="report on the newest release, store nothing")
    group.add_argument("--again", action="store_true", help="extract stored releases too")
    group.add_argument("--between", nargs=3, metavar=("PROJECT", "OLD", "NEW"), help="report on two stored releases")
    options = parser.parse_args(argv)
    try:
        if options.check:
            return 1 if [c for project in SINCE for c in newest(project)] else 0
        if options.between:
            project, *pair = options.between
            old, new = (store.read(FACTS / project, release) for release in pair)
            return 1 if report(project, old, new) else 0
        update(options.again)
    except (DownloadError, FactsError, LookupError, FileNotFoundError) as error:
        print(f"releases: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
