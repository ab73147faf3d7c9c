"""Environment variables: visibility of GPUs, the allocator, settings that do nothing or do harm."""

from __future__ import annotations

import re
from collections.abc import Iterator

from verl_rocm.check.machine import HIDDEN
from verl_rocm.check.rules.settings import detected, of_entry
from verl_rocm.check.situation import Situation
from verl_rocm.facts.conditions import ALLOCATOR
from verl_rocm.facts.releases import readers
from verl_rocm.facts.schema import Issue
from verl_rocm.finding import COMPONENTS, Finding, Remedy, site
from verl_rocm.paste import UNSET, Target, paste

HIP, CUDA, ROCR = "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"


def shown(s: Situation, *names: str) -> str:
    """Variables as they are set: ``HIP_VISIBLE_DEVICES='0,1'``."""
    present = {name: s.environment[name] for name in names if name in s.environment}
    return ", ".join(f"{name} is set" if value == HIDDEN else f"{name}={value!r}" for name, value in present.items())


def chosen(s: Situation) -> Iterator[Finding]:
    """An empty list is no GPU to Ray and torch, and a number above the last GPU is an invalid device."""
    count = len(s.machine.gpus)
    for name, setting in ((HIP, "hip-visible-devices"), (CUDA, "cuda-visible-devices"), (ROCR, "rocr-visible-devices")):
        value = s.environment.get(name)
        if value is None or not s.machine.amd:
            continue
        numbers = [int(part) for part in re.findall(r"(?<![\w-])\d{1,6}(?!\w)", value)] if "GPU-" not in value else []
        if not value.strip():
            yield of_entry(s, setting, f"{name} is empty", f"{name}=''", UNSET)
        elif count and name != ROCR and ROCR not in s.environment and max(numbers, default=0) >= count:
            title = f"{name} names a GPU that is not there"
            yield of_entry(s, setting, title, f"{shown(s, name)}, {count} GPUs", UNSET)


def allocator_names(s: Situation) -> Iterator[Finding]:
    """Two allocator variables that differ: torch takes the first, vLLM may look at another."""
    present = [name for name in ALLOCATOR if s.environment.get(name)]
    if len({s.environment[name] for name in present}) > 1:
        title, seen = "The allocator variables differ", f"{shown(s, *present)}; torch takes {present[0]}"
        finding = of_entry(s, "pytorch-cuda-alloc-conf", title, seen, UNSET, "note")
        keep_first = Remedy(text="Keep one.", lines=(f"unset {' '.join(present[1:])}",))
        yield finding.model_copy(update={"remedies": (keep_first,)})


def values(s: Situation) -> Iterator[Finding]:
    """Empty values, numbers that are none, and words that the setting does not know."""
    for name, value in s.environment.items():
        setting = s.facts.setting(name)
        if setting is None or name in (HIP, CUDA, ROCR):
            continue
        wrong = ""
        if not value.strip():
            wrong = "is set and empty"
        elif setting.kind == "int" and not re.fullmatch(r"[+-]?\d+", value.strip()):
            wrong = "is no whole number"
        elif setting.kind == "enum" and value.strip().upper() not in {choice.upper() for choice in setting.choices}:
            wrong = f"is none of {', '.join(setting.choices)}"
        if wrong:
            yield of_entry(s, setting.id, f"{name} {wrong}", f"{name}={value!r}", UNSET)


def dead(s: Situation) -> Iterator[Finding]:
    """Variables that nothing installed reads, by the contracts of the releases and the ranges of the facts."""
    for name, value in s.environment.items():
        setting = s.facts.setting(name)
        if not value.strip():
            continue
        reason = ""
        if setting and setting.read_by == "nobody":
            reason = "no release reads it"
        elif setting and s.match(setting.versions) is False:
            ranges = ", ".join(f"{c} {spec}" for c, spec in setting.versions.ranges().items())
            reason = f"it exists for {ranges}"
        elif not setting or setting.read_by.split()[0] in s.facts.releases:
            reason = unread(s, name)
        if reason:
            yield _dead(s, name, reason)


def unread(s: Situation, name: str) -> str:
    """Why a variable of vLLM or verl does nothing in the installed release; empty if it may be read."""
    project = name.partition("_")[0].lower()
    contract = s.contract(project) if project in s.facts.releases else None
    if contract is None or contract.reads(name) is not False:
        return ""
    if any((other := s.contract(p)) and other.reads(name) is not False for p in s.facts.releases if p != project):
        return ""
    reading = readers(project, name, s.facts.folder)
    if not reading and project == "verl":
        return ""  # users name variables of their own scripts like this
    last = f"{reading[-1]} was the last release to read it" if reading else "no release that this guide knows does"
    return f"{COMPONENTS[project]} {contract.version} does not read it; {last}"


def _dead(s: Situation, name: str, reason: str) -> Finding:
    """The finding; one of the known issue that looks at the variable is reported with that issue."""
    title, seen = f"{name} does nothing", f"{shown(s, name)}: {reason}"
    gone = Remedy(text="Leave it out.", lines=(paste(s.facts, name, UNSET, Target.SHELL) or f"unset {name}",))
    issue = next((i for i in s.facts.issues.values() if i.group == "setting-ignored" and _names(i, name)), None)
    if issue and s.affects(issue) is not False:
        finding = detected(s, issue.id, title, seen)
        return finding.model_copy(update={"remedies": (gone, *finding.remedies)})
    if setting := s.facts.setting(name):
        return of_entry(s, setting.id, title, seen, UNSET).model_copy(update={"remedies": (gone,)})
    contract = s.contract(name.partition("_")[0].lower())
    declared = contract is not None and name in contract.section("env")  # images set such ones by themselves
    return Finding(
        level="note" if declared else "finding",
        title=title,
        seen=seen,
        id=f"{contract.project}/{contract.version}.json" if contract else name,
        why="A setting that nothing reads changes nothing.",
        remedies=(gone,),
        url=site("reference/versions"),
    )


def _names(issue: Issue, variable: str) -> bool:
    return variable in issue.applies_when.variables()


RULES = (chosen, allocator_names, values, dead)
