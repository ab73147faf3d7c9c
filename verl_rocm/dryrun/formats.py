"""A dry run for other programs' readers: Markdown for a pull request, annotation lines for GitHub's log.

Workflow commands are escaped as ``packages/core/src/command.ts`` of ``actions/toolkit`` does.
"""

from __future__ import annotations

from collections.abc import Iterator

from verl_rocm.cures import Cure, cures
from verl_rocm.finding import Finding

from . import memory
from .patch import continued, to_paste
from .render import head, totals, verdict
from .report import DryRun, RefusedJob, Report


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _linked(finding: Finding) -> str:
    return f"[`{finding.id}`]({finding.url})" if finding.url else f"`{finding.id}`"


def markdown(run: DryRun) -> str:
    """The run as Markdown."""
    return "\n".join(line for report in run.reports for line in _report(report, run.versions))


def _report(report: Report | RefusedJob, versions: dict[str, str]) -> Iterator[str]:
    yield f"### {head(report, versions)}\n"
    if isinstance(report, RefusedJob):
        for problem in report.problems:
            yield f"- **error**: {_cell(problem.text)}" + (f"\n  - hint: {_cell(problem.hint)}" if problem.hint else "")
        yield ""
    else:
        yield f"**{_cell(verdict(report))}**\n"
        overrides, shell = to_paste(report)
        for title, lines in (("Add to the launch", continued(overrides)), ("Change before the launch", shell)):
            if lines:
                yield "\n".join([f"{title}:\n", "```sh", *lines, "```\n"])
    if report.counted_findings:
        yield "| finding | way out |\n|---|---|"
        yield from map(_row, report.counted_findings)
        yield ""
    if isinstance(report, Report) and (awaiting := report.of_state("awaits")):
        yield "Known issues of this GPU and these releases, by what ends them:\n"
        yield from map(_cure, cures(awaiting))
        yield ""
    if isinstance(report, Report):
        yield f"{memory.TITLE}:\n"
        yield from (f"- {name}: {_cell(text)}" for name, text in memory.rows(report.resolution))
        yield ""
    yield f"{totals(report)}.\n"


def _row(item: Finding) -> str:
    ways = [" ".join(filter(None, (way.sentence(), *(f"`{line}`" for line in way.lines)))) for way in item.remedies]
    return f"| {_cell(item.title)} ({_linked(item)}) | {_cell('; or '.join(ways))} |"


def _cure(cure: Cure) -> str:
    lines = "".join(f" `{line}`" for line in cure.lines)
    issues = [f"  - {_cell(issue.title)} ({_linked(issue)}, {issue.confidence})" for issue in cure.issues]
    return "\n".join([f"- {cure.label()}{lines}", *issues])


def _escaped(text: str) -> str:
    """Text as a workflow command's message takes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def annotation(level: str, file: str, title: str, message: str) -> str:
    """One workflow command: ``::warning file=run.sh,title=...::...``; ``level`` is error, warning or notice."""
    values = {"file": file, "title": title}
    properties = [f"{k}={_escaped(v).replace(':', '%3A').replace(',', '%2C')}" for k, v in values.items() if v]
    return f"::{level} {','.join(properties)}::{_escaped(message)}"


def github(run: DryRun, file: str = "") -> Iterator[str]:
    """Annotation lines: an error for each refusal, a warning for what counts, a notice for other known issues."""
    for report in run.reports:
        gpu = f"{report.gpu.name}, vLLM {run.versions['vllm']}"
        if isinstance(report, RefusedJob):
            for problem in report.problems:
                yield annotation("error", file, f"refused on {gpu}", problem.line())
        for item in report.counted_findings:
            lines = [line for way in item.remedies[:1] for line in way.lines]
            message = "; fix: ".join([item.title, *lines])
            yield annotation("warning", file, f"{item.id} on {gpu}", f"{message} {item.url}".strip())
        for issue in report.of_state("awaits") if isinstance(report, Report) else ():
            level = "warning" if issue.confidence == "confirmed" else "notice"
            message = f"{issue.title} ({issue.confidence}) {issue.url}"
            yield annotation(level, file, f"{issue.id} on {gpu}", message)


def log(run: DryRun, file: str = "") -> str:
    """All annotation lines, and the counts as the last lines of the log, one for each report."""
    return "\n".join([*github(run, file), *(f"{report.gpu.name}: {totals(report)}" for report in run.reports)])
