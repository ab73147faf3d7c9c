"""What differs between several reports: GPUs, or releases of vLLM."""

from __future__ import annotations

from collections.abc import Sequence

from .journey import short
from .report import RefusedJob, Report

STATES = {"awaits": "met", "avoided": "avoided", "unknown": "undecided", "possible": "possible"}


def flat(report: Report | RefusedJob) -> dict[str, str]:
    """A report as lines that can be compared; problems are a line of their own."""
    if isinstance(report, RefusedJob):
        return {"refused": "; ".join(problem.message for problem in report.problems)}
    job = report.resolution
    lines: dict[str, str] = {}
    for row in job.journey:
        lines[f"{row.argument} (sent)"] = short(row.sent)
        lines[row.argument] = short(row.vllm)
    lines |= {"graphs: mode": job.graphs.mode, "graphs: sizes": short(list(job.graphs.sizes))}
    lines |= {"graphs: max": str(job.graphs.max), "graphs: compilation": short(job.graphs.compilation)}
    for choice in job.attention:
        switch = f"AITER installed, switch {choice.switch or 'unset'}" if choice.aiter else "no AITER"
        chosen = f"{choice.backend}, block {choice.block_size}, {choice.graphs}"
        lines[f"attention, {switch}"] = choice.error or chosen
    lines |= {name.replace("_", " "): str(value) for name, value in job.runner.model_dump().items()}
    lines["FP8 format"] = report.gpu.fp8
    lines["sleep level"] = str(job.sleep.level)
    lines |= {f"resolved: {name}": short(value) for name, value in job.resolved.items() if name not in lines}
    lines |= {f"environment: {name}": value for name, value in job.environment.items()}
    lines |= {f"finding {item.id}": item.title for item in report.findings}
    lines |= {f"known issue {match.finding.id}": STATES[match.state] for match in report.issues}
    return lines


def differences(reports: Sequence[Report | RefusedJob]) -> list[tuple[str, list[str]]]:
    """Lines whose values differ, in the order of the first report that has them; ``-`` where a report lacks one."""
    lines = [flat(report) for report in reports]
    names = list(dict.fromkeys(name for line in lines for name in line))
    rows = [(name, [line.get(name, "-") for line in lines]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]
