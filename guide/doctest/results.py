"""From the outcomes of tests to one result a region."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from guide.records.blocks import Level, Result, Status
from guide.regions import Region

LEVELS: list[Level] = ["checked", "dry run", "run"]
NOT_RUN = "not run"


@dataclass
class Outcome:
    """What one test did for the regions that it claims."""

    regions: tuple[str, ...]
    evidence: str
    reason: str | None
    status: str = "passed"
    seconds: float = 0.0
    setup_seconds: float = 0.0
    passed: dict[str, str] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)


def _verdict(outcomes: list[Outcome]) -> tuple[Status, Level, str | None]:
    """Status, level and reason of a region: one failure fails it; the highest level that passed counts."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed:
        return "failed", "run", failed[0].reason
    reasons = [outcome.reason for outcome in outcomes if outcome.status == "skipped" or outcome.evidence == NOT_RUN]
    reason = next((text for text in reasons if text), None)
    levels = [outcome.evidence for outcome in outcomes if outcome.status == "passed" and outcome.evidence != NOT_RUN]
    if not levels:
        return "not run", "run", reason
    highest = max(levels, key=[str(level) for level in LEVELS].index)
    level = LEVELS[[str(level) for level in LEVELS].index(highest)]
    return "passed", level, None if level == "run" else reason


def _together(outcomes: list[Outcome]) -> dict[str, str]:
    """What all tests of a region passed; where they passed different values, all of them."""
    values: dict[str, list[str]] = {}
    for outcome in outcomes:
        for key, value in outcome.passed.items():
            if value not in values.setdefault(key, []):
                values[key].append(value)
    return {key: " and ".join(texts) for key, texts in values.items()}


def per_region(run: str, outcomes: Iterable[Outcome], regions: dict[str, Region]) -> dict[str, Result]:
    """One :class:`Result` for each region that any outcome names; a test's seconds are shared by its regions."""
    by_region: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        for region in outcome.regions:
            by_region.setdefault(region, []).append(outcome)
    results = {}
    for name, items in sorted(by_region.items()):
        status, level, reason = _verdict(items)
        shown = regions[name]
        ran = [outcome for outcome in items if outcome.evidence == level]
        results[name] = Result(
            run=run,
            status=status,
            level=level,
            seconds=round(sum(one.seconds / len(one.regions) for one in items), 2),
            setup_seconds=round(sum(one.setup_seconds / len(one.regions) for one in items), 2),
            sha256=shown.sha256,
            rest_sha256=shown.rest_sha256,
            file_sha256=shown.file_sha256,
            reason=reason,
            passed=_together(ran),
            measured={key: value for one in items for key, value in one.measured.items()},
        )
    return results
