"""A dry run for people: the verdict first, then what to change, then what was found, then what was resolved."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from verl_rocm import render
from verl_rocm.cures import cures
from verl_rocm.facts.load import load
from verl_rocm.finding import Finding

from . import memory, resolve
from .compare import differences
from .journey import line, worth_showing
from .report import DryRun, RefusedJob, Report, State


def head(report: Report | RefusedJob, versions: dict[str, str]) -> str:
    """The job, the GPU and the releases in one line, which says that nothing ran."""
    gpu = report.gpu
    name, size = "", f"{gpu.count} {gpu.name}"
    if isinstance(report, Report):
        sizes = report.resolution.sizes
        name, size = f"{report.resolution.model.named} on ", f"{sizes.nodes} x {sizes.gpus_per_node} {gpu.name}"
    rocm = f", ROCm {report.rocm}" if report.rocm else ""
    releases = f"vLLM {versions['vllm']}, verl {versions['verl']}{rocm}"
    return f"dry run: {name}{size} ({gpu.arch}, {gpu.memory_gib} GiB), {releases}; nothing ran on a GPU"


def met(report: Report) -> str:
    """``3 known issues met (1 confirmed)``."""
    awaiting = report.of_state("awaits")
    confirmed = sum(issue.confidence == "confirmed" for issue in awaiting)
    return f"{render.counted(len(awaiting), 'known issue')} met" + (f" ({confirmed} confirmed)" if awaiting else "")


def verdict(report: Report) -> str:
    """The worst in one line."""
    findings = [item for item in report.findings if item.level == "finding"]
    counts = f"{render.counted(len(findings), 'finding')}, {met(report)}"
    return f"{counts}: {findings[0].title}" if findings else counts


def to_paste(report: Report) -> tuple[str, ...]:
    """The first way out of each finding, as one block for the launch."""
    findings = [item for item in report.findings if item.level == "finding"]
    return tuple(dict.fromkeys(line for item in findings for way in item.remedies[:1] for line in way.lines))


def plan(report: Report) -> list[tuple[str, str]]:
    """What nobody wrote and verl or vLLM decided."""
    job = report.resolution
    sizes, graphs, sleep, runner = job.sizes, job.graphs, job.sleep, job.runner
    engines = f"{sizes.replicas} x {sizes.gpus_of_one_engine} GPU"
    level = f"level {sleep.level}" if sleep.level else "never sleeps"
    return [
        ("engines", f"{engines}; {sizes.nodes} x {sizes.gpus_per_node} {report.gpu.name}"),
        ("graphs", f"{graphs.mode}, {len(graphs.sizes)} sizes up to {graphs.max}, compilation {graphs.compilation}"),
        *attention(report),
        ("sleep", f"{sleep.mode} rollout, pool {'on' if sleep.pool else 'off'}, {level}"),
        ("execution", f"{runner.executor}, {runner.worker.rpartition('.')[2]}, model runner {runner.model_runner}"),
        ("FP8 format", report.gpu.fp8),
    ]


def attention(report: Report) -> list[tuple[str, str]]:
    """vLLM's choice of a backend: one row where AITER changes nothing, else one for each choice."""
    switches: dict[str, list[str]] = {}
    for choice in report.resolution.attention:
        support = "" if choice.graphs in ("ALWAYS", "unknown") else f", graphs {choice.graphs}"
        text = choice.error or f"{choice.backend}, block size {choice.block_size}{support}"
        label = f"AITER, switch {choice.switch or 'unset'}" if choice.aiter else "AITER not installed"
        switches.setdefault(text, []).append(label)
    if len(switches) == 1:
        return [("attention", f"{text}, with AITER or without") for text in switches]
    return [("attention", f"{text} ({'; '.join(labels)})") for text, labels in switches.items()]


def _section(out: Console, title: str) -> None:
    out.print(Text(f"\n{title}", style="bold"), soft_wrap=True)


def _findings(out: Console, items: Sequence[Finding]) -> None:
    for item in items:
        render.row(out, "finding", f"{item.title} [{item.id}]", indent=11, style="yellow")
        for number, way in enumerate(item.remedies):
            label = "fix" if number == 0 else "or"
            if way.text:
                render.row(out, label, way.sentence(), indent=11)
                label = ""
            render.pasted(out, label, way.lines, indent=11)


def _others(out: Console, report: Report, every: bool) -> None:
    """Known issues that do not await the job, by name."""
    undecided = "undecided, a release decides" if report.rocm else "undecided without --rocm"
    words: tuple[tuple[State, str], ...] = (("unknown", undecided), ("avoided", "avoided by the job's own settings"))
    if every:
        words = (*words, ("possible", "possible, by what happens at run time"))
    for state, text in words:
        if items := report.of_state(state):
            render.row(out, "", f"{text}: {', '.join(item.id for item in items)}", indent=2)


def print_report(out: Console, report: Report, versions: dict[str, str], every: bool) -> None:
    """Print one report."""
    out.print(Text(head(report, versions)))
    style = "bold yellow" if report.counting else "bold green"
    out.print(Text(verdict(report), style=style))
    if report.completed:
        render.row(out, "", f"completed from the guide's recipe: {' '.join(report.completed)}", indent=2)
    if report.notes:
        render.row(out, "", report.notes, indent=2)
    if lines := to_paste(report):
        _section(out, "add to the launch")
        render.pasted(out, "", lines, indent=4)
    findings = [item for item in report.findings if item.level == "finding"]
    if findings:
        _section(out, "findings")
        _findings(out, findings)
    awaiting = report.of_state("awaits")
    if awaiting:
        _section(out, "known issues of this GPU and these releases, by what ends them")
        render.cures(out, cures(awaiting, resolve.brings(load(), report, versions)), len(awaiting))
    _others(out, report, every)
    if rows := [row for row in report.resolution.journey if worth_showing(row, every)]:
        _section(out, "settings: ~ changed on the way, = arrived")
        for row in rows:
            render.row(out, "", line(row), indent=2)
    _section(out, memory.TITLE)
    for name, text in memory.rows(report.resolution):
        render.row(out, name, text, indent=13)
    _section(out, "resolved")
    for name, text in plan(report):
        render.row(out, name, text, indent=13)
    for item in report.findings:
        if item.level == "note":
            render.row(out, "note", item.title, indent=13)
    if every:
        for name, value in report.resolution.environment.items():
            render.row(out, "environment", f"{name}={value}", indent=15)
    else:
        render.row(out, "environment", f"{len(report.resolution.environment)} variables (--all)", indent=15)
    code = 1 if report.counting else 0
    out.print(Text(f"\n{totals(report)}, exit code {code}", style="bold"))


def totals(report: Report) -> str:
    """The last line: ``1 finding, 3 known issues met (1 confirmed), 2 avoided, 4 undecided``."""
    findings = sum(item.level == "finding" for item in report.findings)
    avoided, undecided = len(report.of_state("avoided")), len(report.of_state("unknown"))
    return f"{render.counted(findings, 'finding')}, {met(report)}, {avoided} avoided, {undecided} undecided"


def print_refusal(out: Console, report: RefusedJob, versions: dict[str, str]) -> None:
    """Print everything that stops a job."""
    out.print(Text(head(report, versions)))
    for problem in report.problems:
        render.row(out, "refused", problem.line(), indent=11, style="red")


def print_comparison(out: Console, names: Sequence[str], run: DryRun) -> None:
    """Print what differs between several reports."""
    rows = differences(run.reports)
    if not rows:
        out.print(f"no difference between {' and '.join(names)}")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    width = min(out.width, 400)
    first = min(max(len(what) for what, _ in rows), width // 2)
    rest = max((width - first) // len(names) - 4, 8)
    table.add_column("", overflow="fold", min_width=first)
    for name in names:
        table.add_column(name, overflow="fold", max_width=rest)
    for what, values in rows:
        table.add_row(what, *values)
    out.print(table)
    out.print(Text(f"\n{render.counted(len(rows), 'difference')}", style="bold"))
