"""A dry run for people: the verdict first, then what to change, then what was found, then what was resolved."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from verl_rocm import cures, models, render
from verl_rocm.facts.load import load
from verl_rocm.finding import ISSUES, Finding, site

from . import memory, resolve
from .compare import differences
from .journey import line, worth_showing
from .patch import continued, to_paste
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


def worst(report: Report) -> Finding | None:
    """What a reader should know first: a confirmed known issue, else a finding, else an issue of less certainty."""
    awaiting = cures.ranked(report.of_state("awaits"))
    confirmed = [issue for issue in awaiting if issue.confidence == "confirmed"]
    return next(iter([*confirmed, *report.counted_findings, *awaiting]), None)


def verdict(report: Report) -> str:
    """The first line: the worst, with its id."""
    item, findings = worst(report), len(report.counted_findings)
    if item is None:
        return "no finding, and no known issue that this job meets"
    confirmed = len(report.counting) - findings
    text = f"{item.title} {render.tag(item) if item.known_issue else f'[{item.id}]'}"
    if not report.counting:
        return f"no finding; a known issue, not confirmed: {text}"
    rest = len(report.counting) - 1
    kind = "confirmed known issue" if confirmed else "finding"
    return f"{kind}: {text}" + (f", and {rest} more" if rest else "")


def met(report: Report) -> str:
    """``3 known issues met (1 confirmed)``."""
    awaiting = report.of_state("awaits")
    confirmed = sum(issue.confidence == "confirmed" for issue in awaiting)
    return f"{render.counted(len(awaiting), 'known issue')} met" + (f" ({confirmed} confirmed)" if awaiting else "")


def totals(report: Report | RefusedJob) -> str:
    """The last line: ``1 finding, 3 known issues met (1 confirmed), 2 avoided, 4 undecided``."""
    findings = render.counted(len(report.counted_findings), "finding")
    if isinstance(report, RefusedJob):
        return f"{render.counted(len(report.problems), 'error')}, {findings}"
    avoided, undecided = len(report.of_state("avoided")), len(report.of_state("unknown"))
    return f"{findings}, {met(report)}, {avoided} avoided, {undecided} undecided"


def plan(report: Report) -> list[tuple[str, str]]:
    """What nobody wrote and verl or vLLM decided."""
    job = report.resolution
    sizes, graphs, sleep, runner = job.sizes, job.graphs, job.sleep, job.runner
    engines = f"{sizes.replicas} x {sizes.gpus_of_one_engine} GPU"
    level = f"level {sleep.level}" if sleep.level else "never sleeps"
    by_path = [("model", job.model.source)] if models.BY_PATH in job.model.source else []
    return [
        *by_path,
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
        render.row(out, "finding", render.linked(f"{item.title} [{item.id}]", item, style="yellow"), indent=11)
        for number, way in enumerate(item.remedies):
            label = "fix" if number == 0 else "or"
            if way.text:
                render.row(out, label, way.sentence(), indent=11)
                label = ""
            render.pasted(out, label, way.lines, indent=11)


def _to_paste(out: Console, report: Report | RefusedJob) -> None:
    overrides, shell = to_paste(report)
    if overrides:
        _section(out, "add to the launch")
        render.pasted(out, "", continued(overrides), indent=4)
    if shell:
        _section(out, "change before the launch")
        render.pasted(out, "", shell, indent=4)


def _others(out: Console, report: Report, every: bool) -> None:
    """Known issues that do not await the job, by name."""
    undecided = "undecided, a release decides" if report.rocm else "undecided without --rocm"
    words: tuple[tuple[State, str], ...] = (("unknown", undecided), ("avoided", "avoided by the job's own settings"))
    if every:
        words = (*words, ("possible", "possible, by what happens at run time"))
    for state, text in words:
        if items := report.of_state(state):
            out.print()
            names = render.linked(f"{text}: {', '.join(item.id for item in items)}", *items)
            render.row(out, "", names, indent=2)


def print_report(out: Console, report: Report, versions: dict[str, str], every: bool) -> None:
    """Print one report."""
    item = worst(report)
    style = "bold yellow" if report.counting else "bold green"
    out.print(render.linked(verdict(report), *([item] if item else []), style=style))
    out.print(Text(head(report, versions)))
    if report.completed:
        render.row(out, "", f"completed from the guide's recipe: {' '.join(report.completed)}", indent=2)
    if report.notes:
        render.row(out, "", report.notes, indent=2)
    _to_paste(out, report)
    if report.counted_findings:
        _section(out, "findings")
        _findings(out, report.counted_findings)
    awaiting = report.of_state("awaits")
    if awaiting:
        _section(out, "known issues of this GPU and these releases, by what ends them")
        groups = cures.cures(awaiting, resolve.brings(load(), report, versions))
        render.cures(out, groups, len(awaiting))
    _others(out, report, every)
    if rows := [row for row in report.resolution.journey if worth_showing(row, every)]:
        _section(out, "settings: ~ changed on the way, = arrived")
        indent = min(max(len(row.argument) for row in rows), 32) + 6
        for row in rows:
            label, text = line(row)
            render.row(out, label, text, indent=max(indent, len(label) + 4))
    _section(out, memory.TITLE)
    for name, text in memory.rows(report.resolution):
        render.row(out, name, text, indent=15)
    _section(out, "resolved")
    for name, text in plan(report):
        render.row(out, name, text, indent=15)
    for item in report.findings:
        if item.level == "note":
            render.row(out, "note", render.linked(f"{item.title} [{item.id}]", item), indent=15)
    if every:
        for name, value in report.resolution.environment.items():
            render.row(out, "environment", f"{name}={value}", indent=15)
    else:
        render.row(out, "environment", f"{len(report.resolution.environment)} variables (--all)", indent=15)
    if not out.is_terminal:
        out.print(Text(f"\nid of a known issue: {site(ISSUES, 'ID')}"), soft_wrap=True)
    code = 1 if report.counting else 0
    out.print(Text(f"\n{totals(report)}, exit code {code}", style="bold"), soft_wrap=True)


def print_refusal(out: Console, reports: Sequence[RefusedJob], versions: dict[str, str]) -> None:
    """Print everything that stops jobs, each thing once though several GPUs meet it."""
    problems = {problem.line(): problem for report in reports for problem in report.problems}
    findings = {item.title: item for report in reports for item in report.counted_findings}
    for problem in problems.values():
        out.print(Text(f"error: {render.clean(problem.text)}", style="bold red"), soft_wrap=True)
        _hint(out, problem.hint)
    for item in findings.values():
        text = f"finding: {item.title} [{item.id}]"
        out.print(render.linked(text, item, style="yellow"), soft_wrap=True)
        for way in item.remedies[:1]:
            _hint(out, " ".join([way.sentence(), *way.lines]))
    for notes in dict.fromkeys(report.notes for report in reports if report.notes):
        out.print(Text(f"note: {render.clean(notes)}"), soft_wrap=True)
    out.print(Text(head(reports[0], versions)), soft_wrap=True)
    counts = f"{render.counted(len(problems), 'error')}, {render.counted(len(findings), 'finding')}, exit code 2"
    out.print(Text(counts, style="bold"), soft_wrap=True)


def _hint(out: Console, text: str) -> None:
    if text:
        out.print(Text(f"hint: {render.clean(text)}"), soft_wrap=True)


def print_comparison(out: Console, names: Sequence[str], run: DryRun) -> None:
    """Print what differs between several reports."""
    rows = differences(run.reports)
    if not rows:
        out.print(f"no difference between {' and '.join(names)}")
        return
    widths = [max(map(len, column)) for column in zip(*((what, *values) for what, values in rows), strict=True)]
    if sum(widths) + 2 * len(names) <= out.width:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in ("", *names):
            table.add_column(name)
        for what, values in rows:
            table.add_row(what, *(render.clean(value) for value in values))
        out.print(table)
    else:
        _stacked(out, names, rows)
    out.print(Text(f"\n{render.counted(len(rows), 'difference')}", style="bold"))


def _stacked(out: Console, names: Sequence[str], rows: Sequence[tuple[str, list[str]]]) -> None:
    """Differences below each other, what is equal together: no value is folded like a cell."""
    for what, values in rows:
        out.print(Text(render.clean(what), style="bold"), soft_wrap=True)
        groups: dict[str, list[str]] = {}
        for name, value in zip(names, values, strict=True):
            groups.setdefault(value, []).append(name)
        indent = max(len(", ".join(group)) for group in groups.values()) + 4
        for value, group in groups.items():
            render.row(out, ", ".join(group), value, indent=indent)
