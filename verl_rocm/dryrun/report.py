"""The report of a dry run: what the child resolved, with what the facts add to it.  ``--json`` is its dump."""

from __future__ import annotations

from typing import Literal

from verl_rocm.finding import Finding
from verl_rocm.part import Part
from verl_rocm.worker.wire import Identity, Problem, Resolution

State = Literal["awaits", "avoided", "unknown", "possible"]


class Match(Part):
    """A known issue of the job's releases and GPU.

    ``awaits``: the job meets it; ``avoided``: one of its fixes is set; ``unknown``: a release is missing that decides;
    ``possible``: something at run time decides, which no configuration tells.
    """

    state: State
    finding: Finding


class Report(Part):
    """One job on one GPU.

    ``completed`` are overrides that the user did not name and that come from the guide's own recipe; ``notes`` say what
    of a script was left out.
    """

    gpu: Identity
    rocm: str | None
    launcher: str
    completed: tuple[str, ...] = ()
    notes: str = ""
    resolution: Resolution
    findings: tuple[Finding, ...]
    issues: tuple[Match, ...]

    def of_state(self, state: State) -> tuple[Finding, ...]:
        """The known issues in that state."""
        return tuple(match.finding for match in self.issues if match.state == state)

    @property
    def counted_findings(self) -> tuple[Finding, ...]:
        """The findings without the notes."""
        return tuple(item for item in self.findings if item.level == "finding")

    @property
    def counting(self) -> tuple[Finding, ...]:
        """What makes the exit code 1: findings, and confirmed known issues that await the job."""
        confirmed = [issue for issue in self.of_state("awaits") if issue.confidence == "confirmed"]
        return (*self.counted_findings, *confirmed)


class RefusedJob(Part):
    """One job that verl or vLLM refuses on one GPU, or that cannot be dry-run.

    ``findings`` are those that need no resolved job.
    """

    gpu: Identity
    rocm: str | None
    launcher: str
    notes: str = ""
    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def counted_findings(self) -> tuple[Finding, ...]:
        """The findings without the notes."""
        return tuple(item for item in self.findings if item.level == "finding")


class Failure(Part):
    """What ``--format json`` prints where there is no report: bad input, or no engine."""

    format: Literal[2] = 2
    error: str
    hint: str = ""


class DryRun(Part):
    """Everything that one call resolved."""

    format: Literal[2] = 2
    versions: dict[str, str]
    reports: tuple[Report | RefusedJob, ...]

    @property
    def exit_code(self) -> int:
        """0 clean, 1 findings or a confirmed known issue that awaits, 2 refused."""
        if any(isinstance(report, RefusedJob) for report in self.reports):
            return 2
        return int(any(isinstance(report, Report) and report.counting for report in self.reports))
