"""A dry run for other programs' readers: Markdown for a pull request, annotation lines for GitHub's log."""

from __future__ import annotations

from collections.abc import Iterator

from verl_rocm.finding import Finding, link

from . import memory
from .render import head, to_paste, totals, verdict
from .report import DryRun, RefusedJob, Report


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _linked(finding: Finding) -> str:
    url = link(finding)
    return f"[`{finding.id}`]({url})" if url else f"`{finding.id}`"


def markdown(run: DryRun) -> str:
    """The run as Markdown."""
    parts = []
    for report in run.reports:
        parts.append(f"### {head(report, run.versions)}\n")
        if isinstance(report, RefusedJob):
            parts += [f"- **refused**: {_cell(problem.line())}" for problem in report.problems]
            parts.append("")
            continue
        parts.append(f"**{_cell(verdict(report))}**\n")
        if lines := to_paste(report):
            parts += ["Add to the launch:\n", "```sh", *lines, "```", ""]
        rows = [item for item in report.findings if item.level == "finding"]
        if rows or report.of_state("awaits"):
            parts += ["| what | confidence | way out |", "|---|---|---|"]
            parts += [_row(item) for item in (*rows, *report.of_state("awaits"))]
            parts.append("")
        parts += [
            f"{memory.TITLE}:\n",
            *(f"- {name}: {_cell(text)}" for name, text in memory.rows(report.resolution)),
            "",
        ]
        parts.append(f"{totals(report)}.\n")
    return "\n".join(parts)


def _row(item: Finding) -> str:
    ways = [" ".join(filter(None, (way.sentence(), *(f"`{line}`" for line in way.lines)))) for way in item.remedies]
    return f"| {_cell(item.title)} ({_linked(item)}) | {item.confidence} | {_cell('; or '.join(ways))} |"


def _escaped(text: str) -> str:
    """Text as a workflow command's message takes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def github(run: DryRun, file: str = "") -> Iterator[str]:
    """Annotation lines: an error for each refusal, a warning for each finding, a notice for each known issue met."""
    where = f" file={file}," if file else " "
    for report in run.reports:
        gpu = f"{report.gpu.name}, vLLM {run.versions['vllm']}"
        if isinstance(report, RefusedJob):
            for problem in report.problems:
                yield f"::error{where}title=refused on {gpu}::{_escaped(problem.line())}"
            continue
        for item in report.findings:
            if item.level == "finding":
                lines = [line for way in item.remedies[:1] for line in way.lines]
                yield f"::warning{where}title={item.id} on {gpu}::{_escaped('; fix: '.join([item.title, *lines]))}"
        yield from (_notice(where, gpu, item) for item in report.of_state("awaits"))


def _notice(where: str, gpu: str, item: Finding) -> str:
    level = "warning" if item.confidence == "confirmed" else "notice"
    return f"::{level}{where}title={item.id} on {gpu}::{_escaped(f'{item.title} ({item.confidence}) {link(item)}')}"


def log(run: DryRun, file: str = "") -> str:
    """All annotation lines, and the counts as the last line of the log."""
    lines = list(github(run, file))
    counted = [totals(report) for report in run.reports if isinstance(report, Report)]
    return "\n".join([*lines, *counted])
