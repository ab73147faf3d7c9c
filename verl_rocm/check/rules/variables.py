"""Environment variables: visibility of GPUs, the allocator, settings that do nothing or do harm."""

from __future__ import annotations

import re
from collections.abc import Iterator

from verl_rocm.check.findings import Finding, Remedy, of_issue, of_knob
from verl_rocm.check.machine import HIDDEN
from verl_rocm.check.situation import ALLOCATOR, Situation
from verl_rocm.facts.releases import release
from verl_rocm.facts.schema import Issue

HIP, CUDA, ROCR = "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"
NOSET = "RAY_EXPERIMENTAL_NOSET_{}_VISIBLE_DEVICES"
RADEON = ("gfx10", "gfx11", "gfx12")


def shown(s: Situation, *names: str) -> str:
    """Variables as they are set: ``HIP_VISIBLE_DEVICES='0,1'``."""
    given = {name: s.environment[name] for name in names if name in s.environment}
    return ", ".join(f"{name} is set" if value == HIDDEN else f"{name}={value!r}" for name, value in given.items())


def visibility(s: Situation) -> Iterator[Finding]:
    """Ray and verl refuse the ROCR name, and verl and vLLM refuse two names that differ."""
    hip, cuda = s.environment.get(HIP), s.environment.get(CUDA)
    refused = HIP not in s.environment or (s.environment.get(ROCR) and (hip or cuda))  # by Ray, by verl
    if ROCR in s.environment and refused and s.awaits("rocr-with-ray-or-verl"):
        yield of_issue(s, "rocr-with-ray-or-verl", shown(s, ROCR, HIP, CUDA))
    if hip and cuda and hip != cuda and s.awaits("visible-devices-differ"):
        yield of_issue(s, "visible-devices-differ", shown(s, HIP, CUDA))


def chosen(s: Situation) -> Iterator[Finding]:
    """An empty list is no GPU to Ray and torch, and a number above the last GPU is an invalid device."""
    count = len(s.machine.gpus)
    for name, knob in ((HIP, "hip-visible-devices"), (CUDA, "cuda-visible-devices"), (ROCR, "rocr-visible-devices")):
        value = s.environment.get(name)
        if value is None or not s.machine.amd:
            continue
        numbers = [int(part) for part in re.findall(r"(?<![\w-])\d{1,6}(?!\w)", value)] if "GPU-" not in value else []
        if not value.strip():
            yield of_knob(s, knob, f"{name} is empty", f"{name}=''", "unset")
        elif count and name != ROCR and ROCR not in s.environment and max(numbers, default=0) >= count:
            yield of_knob(s, knob, f"{name} names a GPU that is not there", f"{shown(s, name)}, {count} GPUs", "unset")


def noset(s: Situation) -> Iterator[Finding]:
    """Ray's AMD code reads the HIP name only."""
    in_vain = [NOSET.format(name) for name in ("CUDA", "ROCR") if s.environment.get(NOSET.format(name))]
    if in_vain and s.awaits("noset-name-that-ray-does-not-read"):
        yield of_issue(s, "noset-name-that-ray-does-not-read", f"{shown(s, *in_vain)}, Ray {s.versions['ray']}")


def allocator(s: Situation) -> Iterator[Finding]:
    """Expandable segments against custom all-reduce and against the sleep pool of several releases."""
    on = list(s.expandable())
    if not on:
        return
    in_force = next(name for name in ALLOCATOR if s.environment.get(name)) in on  # torch takes the first
    if in_force and s.awaits("custom-all-reduce-expandable-segments"):
        yield of_issue(s, "custom-all-reduce-expandable-segments", shown(s, *on))
    if ALLOCATOR[1] in on and s.awaits("sleep-pool-expandable-segments-assert"):
        yield of_issue(s, "sleep-pool-expandable-segments-assert", f"{shown(s, *on)}, vLLM {s.versions['vllm']}")
    if in_force and ALLOCATOR[1] not in on and s.awaits("sleep-pool-misses-alloc-conf-alias"):
        yield of_issue(s, "sleep-pool-misses-alloc-conf-alias", f"{shown(s, *on)}, vLLM {s.versions['vllm']}")


def allocator_names(s: Situation) -> Iterator[Finding]:
    """Two allocator variables that differ: torch takes the first, vLLM may look at another."""
    given = [name for name in ALLOCATOR if s.environment.get(name)]
    if len({s.environment[name] for name in given}) > 1:
        knob = s.facts.knobs["pytorch-cuda-alloc-conf"]
        title = "The allocator variables differ"
        made = of_knob(s, knob, title, f"{shown(s, *given)}; torch takes {given[0]}", "unset", "note")
        yield made.model_copy(update={"do": (Remedy(text="Keep one.", line=f"unset {' '.join(given[1:])}"),)})


def legacy_ipc(s: Situation) -> Iterator[Finding]:
    """Instinct and Radeon want opposite values."""
    name = "HSA_ENABLE_IPC_MODE_LEGACY"
    radeon = [arch for arch in s.archs if arch.startswith(RADEON)]
    if s.environment.get(name) == "1" and radeon and s.awaits("legacy-ipc-fails-on-radeon"):
        yield of_issue(s, "legacy-ipc-fails-on-radeon", f"{shown(s, name)} on {', '.join(radeon)}")


def unset(s: Situation) -> Iterator[Finding]:
    """Variables that a known issue says to leave out."""
    for issue in s.facts.issues.values():
        names = [fix.setting for fix in issue.fixes if fix.setting and fix.value == "unset"]
        if any(s.environment.get(name, "").strip() for name in names) and s.awaits(issue.id):
            yield of_issue(s, issue, shown(s, *names))


def values(s: Situation) -> Iterator[Finding]:
    """Empty values, numbers that are none, and words that the setting does not know."""
    for name, value in s.environment.items():
        knob = s.facts.knob(name)
        if knob is None or name in (HIP, CUDA, ROCR):
            continue
        wrong = ""
        if not value.strip():
            wrong = "is set and empty"
        elif knob.kind == "int" and not re.fullmatch(r"[+-]?\d+", value.strip()):
            wrong = "is no whole number"
        elif knob.kind == "enum" and value.strip().upper() not in {choice.upper() for choice in knob.choices}:
            wrong = f"is none of {', '.join(knob.choices)}"
        if wrong:
            yield of_knob(s, knob, f"{name} {wrong}", f"{name}={value!r}", "unset")


def dead(s: Situation) -> Iterator[Finding]:
    """Variables that nothing installed reads, by the contracts of the releases and the ranges of the facts."""
    for name, value in s.environment.items():
        knob = s.facts.knob(name)
        if not value.strip():
            continue
        said = ""
        if knob and knob.read_by == "nobody":
            said = "no release reads it"
        elif knob and s.match(knob.versions) is False:
            ranges = ", ".join(f"{c} {spec}" for c, spec in knob.versions.ranges().items())
            said = f"it exists for {ranges}"
        elif not knob or knob.read_by.split()[0] in s.facts.releases:
            said = unread(s, name)
        if said:
            yield _dead(s, name, said)


def unread(s: Situation, name: str) -> str:
    """Why a variable of vLLM or verl does nothing in the installed release; empty if it may be read."""
    project = name.partition("_")[0].lower()
    contract = s.contract(project) if project in s.facts.releases else None
    if contract is None or contract.reads(name) is not False:
        return ""
    if any((other := s.contract(p)) and other.reads(name) is not False for p in s.facts.releases if p != project):
        return ""
    known = s.facts.releases[project]
    readers = [v for v in known if release(project, v, s.facts.folder).reads(name)]
    if not readers and project == "verl":
        return ""  # users name variables of their own scripts like this
    last = f"; {readers[-1]} was the last to read it" if readers else "; no stored release does"
    return f"{project} {contract.version} does not read it{last}"


def _dead(s: Situation, name: str, said: str) -> Finding:
    """The finding, with the words of the issue that names the variable, where there is one."""
    title, found = f"{name} does nothing", f"{shown(s, name)}: {said}"
    issue = next((i for i in s.facts.issues.values() if _names(i, name) and s.holds(i) is not False), None)
    gone = Remedy(text="Leave it out.", line=f"unset {name}")
    if issue:
        made = of_issue(s, issue, found)
        return made.model_copy(update={"title": title, "do": (gone, *made.do)})
    knob = s.facts.knob(name)
    if knob:
        return of_knob(s, knob, title, found, "unset").model_copy(update={"do": (gone,)})
    contract = s.contract(name.partition("_")[0].lower())
    declared = contract is not None and name in contract.section("env")  # images set such ones by themselves
    return Finding(
        level="note" if declared else "finding",
        title=title,
        found=found,
        id=f"{contract.project}/{contract.version}.json" if contract else name,
        why="A setting that nothing reads changes nothing.",
        confidence="confirmed",
        do=(gone,),
    )


def _names(issue: Issue, variable: str) -> bool:
    return re.search(rf"\b{re.escape(variable)}\b", f"{issue.title} {issue.cause}") is not None


RULES = (visibility, chosen, noset, allocator, allocator_names, legacy_ipc, unset, values, dead)
