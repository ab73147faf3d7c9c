"""What to change, as blocks to paste: overrides behind the launch, shell lines before it."""

from __future__ import annotations

from collections.abc import Sequence

from verl_rocm.cures import cures
from verl_rocm.worker.overrides import bare

from .report import RefusedJob, Report

SHELL = ("unset ", "export ", "sudo ", "docker ")


def to_paste(report: Report | RefusedJob) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Overrides and shell lines: the first way out of each finding, and settings that end a confirmed known issue.

    Of two values for one key the first stays.
    """
    ways = [way.lines for item in report.counted_findings for way in item.remedies[:1]]
    if isinstance(report, Report):
        groups = cures(report.of_state("awaits"))
        ways += [cure.lines for cure in groups if any(issue.confidence == "confirmed" for issue in cure.issues)]
    lines = list(dict.fromkeys(line for way in ways for line in way))
    shell = tuple(line for line in lines if line.startswith(SHELL))
    overrides: dict[str, str] = {}
    for line in lines:
        if line not in shell:
            overrides.setdefault(bare(line.strip("'")), line)
    return tuple(overrides.values()), shell


def continued(overrides: Sequence[str]) -> tuple[str, ...]:
    """Overrides as the last lines of a command: each but the last continues."""
    return (*(f"{line} \\" for line in overrides[:-1]), *overrides[-1:])
