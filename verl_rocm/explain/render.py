"""The report for people."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from verl_rocm import render
from verl_rocm.explain.report import Entry, Group, Report
from verl_rocm.finding import COMPONENTS, ISSUES, site

SHOWN = 4  # groups in full


def _names(report: Report) -> str:
    parts = [f"{COMPONENTS[name]} {', '.join(values)}" for name, values in sorted(report.versions.items())]
    parts += [*report.gpus, *(arch for arch in report.archs if not report.gpus)]
    return "; ".join(parts) or "no release and no GPU; entries are not narrowed by them"


def _entry(out: Console, entry: Entry) -> None:
    item = entry.finding
    out.print()
    title = Text(render.clean(item.title), style="bold yellow")
    out.print(title, render.linked(render.tag(item), item), soft_wrap=True)
    render.row(out, "why", item.why)
    if entry.versions_known:
        render.row(out, "fits", "its versions are those of the log")
    render.row(out, "tell", entry.diagnosis)
    render.remedies(out, item.remedies)
    render.pasted(out, "more", (item.url,))


def _group(out: Console, group: Group) -> None:
    times = f", {group.times} times" if group.times > 1 else ""
    out.print(Text(f"\nline {group.line}{times}:", style="bold"), soft_wrap=True)
    render.row(out, "", group.text, indent=2)
    if len(group.entries) > 1:
        out.print(Text(f"{len(group.entries)} known issues print this; `tell` says which one is yours"), soft_wrap=True)
    for entry in group.entries:
        _entry(out, entry)


def _nothing(out: Console, report: Report) -> None:
    if report.error is None:
        render.row(out, "next", "Nothing in it is an error; give the log of the process that ended first.", indent=10)
        render.row(out, "", f"For a slow, hanging or silent job start from the symptom: {site(ISSUES)}", indent=10)
        return
    render.row(out, "next", f"No known issue prints this. Look for the symptom: {site(ISSUES)}", indent=10)
    render.row(out, "send", "these lines, with the versions above, to the project that raised the error", indent=10)
    for line in report.send:
        out.print(Text(f"    {render.clean(line)}"), soft_wrap=True)


def print_report(out: Console, report: Report) -> None:
    """Print the report: what the log names, the first error, known issues, and the counts."""
    render.row(out, "log", f"{report.log}, {render.counted(report.lines, 'line')}", indent=10)
    render.row(out, "names", _names(report), indent=10)
    if report.error:
        who = f", by {report.error.process}" if report.error.process else ""
        render.row(out, "error", f"line {report.error.line}{who}: {report.error.text}", indent=10)
    for group in report.groups[:SHOWN]:
        _group(out, group)
    for group in report.groups[SHOWN:]:
        ids = ", ".join(entry.finding.id for entry in group.entries)
        render.row(out, "also", f"line {group.line}: {ids}", indent=10)
    if not report.groups:
        _nothing(out, report)
    if report.left_out:
        out.print(Text(f"\nleft out, because the log names other releases or GPUs: {', '.join(report.left_out)}"))
    number = sum(len(group.entries) for group in report.groups)
    total = f"\n{render.counted(number, 'known issue')} matched, exit code {report.exit_code}"
    out.print(Text(total, style="bold"), soft_wrap=True)
