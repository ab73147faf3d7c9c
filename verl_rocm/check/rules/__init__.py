"""The rules: each turns a situation into findings, and each takes its words from the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from verl_rocm.check.rules import hardware, host, releases, variables
from verl_rocm.check.situation import Situation
from verl_rocm.finding import Finding

Rule = Callable[[Situation], Iterable[Finding]]
# What a rule saw itself comes before what follows from versions alone.
RULES: tuple[Rule, ...] = (*hardware.RULES, *variables.RULES, *host.RULES, *releases.RULES)


def findings(s: Situation) -> list[Finding]:
    """What this machine meets: findings before notes; a known issue that a rule saw is not repeated."""
    reported: dict[tuple[str, str], Finding] = {}
    for rule in RULES:
        before = {name for name, _ in reported}
        for finding in rule(s):
            if rule is not releases.known_issues or finding.id not in before:
                reported.setdefault((finding.id, finding.seen), finding)
    return sorted(reported.values(), key=lambda finding: finding.level != "finding")
