"""The rules: each turns a situation into findings, and each takes its words from the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from verl_rocm.check.findings import Finding
from verl_rocm.check.rules import hardware, host, releases, variables
from verl_rocm.check.situation import Situation

Rule = Callable[[Situation], Iterable[Finding]]
RULES: tuple[Rule, ...] = (*hardware.RULES, *releases.RULES, *variables.RULES, *host.RULES)


def judge(s: Situation) -> list[Finding]:
    """What awaits this machine: findings before notes, each entry once."""
    made: dict[tuple[str, str], Finding] = {}
    for rule in RULES:
        for finding in rule(s):
            made.setdefault((finding.id, finding.found), finding)
    return sorted(made.values(), key=lambda finding: finding.level != "finding")
