"""``python -m verl_rocm.facts`` checks all facts: the counts, or one line a fault that says where and what to do."""

from __future__ import annotations

import sys
from collections import Counter

from .agree import disagreements
from .base import FactsError
from .checks import faults
from .load import read
from .releases import HERE
from .schema import Entry


def main() -> int:
    """Print the counts; 2 and one line a fault."""
    try:
        facts = read(HERE)
        items = [*faults(facts), *disagreements(facts)]
    except FactsError as error:
        items = [str(error)]
    if items:
        print("\n".join(items), file=sys.stderr)
        return 2
    entries: list[Entry] = [*facts.settings.values(), *facts.issues.values()]
    evidence = Counter(e.type for entry in entries for e in entry.evidence)
    print(f"{len(facts.gpus)} GPUs, {len(facts.images)} images")
    print(f"{len(facts.settings)} settings, {len(facts.issues)} known issues")
    print(", ".join(f"{len(v)} {project} releases" for project, v in facts.releases.items()))
    print("evidence: " + ", ".join(f"{n} {kind}" for kind, n in evidence.most_common()))
    print(f"conflicts between sources: {sum(k.conflict is not None for k in facts.settings.values())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
