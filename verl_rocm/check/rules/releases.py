"""Versions: known issues that hold for them, and whether they fit together."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.version import Version

from verl_rocm.check.machine import HIDDEN
from verl_rocm.check.situation import Situation, bounded
from verl_rocm.facts.conditions import holds
from verl_rocm.facts.schema import Issue
from verl_rocm.facts.versions import contains, parse
from verl_rocm.finding import COMPONENTS, Finding, Remedy, of_issue, site
from verl_rocm.paste import Target

OPTIONS = ("vllm", "verl", "rocm")


def evidence_here(s: Situation, issue: Issue) -> str:
    """What shows a known issue here: its variables and readings, else the versions and GPUs that it is about."""
    conditions = issue.applies_when
    variables = [f"{n}={s.environment[n]!r}" for n in dict.fromkeys(conditions.variables()) if n in s.environment]
    variables = [text.replace(f"={HIDDEN!r}", " is set") for text in variables]
    if "nofile" in conditions.machine:
        variables.append(f"`ulimit -n` is {s.machine.limits.nofile}")
    if "iommu_pt" in conditions.machine:
        variables.append("iommu=pt is not on the kernel's command line")
    variables += [f"{name} {s.machine.packages[name]}" for name in conditions.packages if name in s.machine.packages]
    ranges = [issue.versions, *issue.fixed_in]
    named = [name for name in COMPONENTS if any(getattr(each, name) for each in ranges) and s.usable[name]]
    versions = [f"{COMPONENTS[name]} {s.versions[name]}" for name in named]
    return ", ".join([*variables, *versions, *(s.archs if issue.versions.archs else ())])


def known_issues(s: Situation) -> Iterator[Finding]:
    """Known issues that are met here, by their conditions."""
    for issue in s.facts.issues.values():
        if level := s.verdict(issue):
            yield of_issue(s.facts, issue, Target.SHELL, evidence_here(s, issue), level)


def undecided(s: Situation) -> list[str]:
    """Known issues that verl's defaults meet and that cannot be decided, for want of a version or of the GPU."""
    job = s.circumstances(s.defaults)
    return [i.id for i in s.facts.issues.values() if s.affects(i) is None and bounded(i) and holds(i.applies_when, job)]


def requirements(s: Situation) -> Iterator[Finding]:
    """What verl's own package asks of Ray, torch and vLLM; what only its extra ``vllm`` asks is a note."""
    contract = s.contract("verl")
    for project, item in (contract.sections.get("requires", {}) if contract else {}).items():
        have = s.usable.get(project)
        for each in item if have else ():
            need = Requirement(f"{project}{each}")
            always = need.marker is None
            extra = project == "vllm" and need.marker and need.marker.evaluate({"extra": "vllm"})  # its torch is CUDA's
            if not (always or extra) or contains(str(need.specifier), have or ""):
                continue
            whom = "verl" if always else "verl's extra `vllm`, which is for CUDA,"
            yield Finding(
                level="finding" if always else "note",
                id=f"verl/{contract.version}.json" if contract else "",
                title=f"verl {s.versions['verl']} was not released for {COMPONENTS[project]} {have}",
                seen=f"{COMPONENTS[project]} {have}; {whom} asks for {need.specifier}",
                why="Upstream tests one combination; others may work.",
                confidence="confirmed",
                url=site("reference/versions"),
            )


def torch_of_vllm(s: Situation) -> Iterator[Finding]:
    """vLLM's ROCm build of this release is made for another torch."""
    contract, torch = s.contract("vllm"), parse(s.usable["torch"] or "")
    required = parse(str(contract.stated("rocm", "torch"))) if contract else None
    hip = s.machine.torch.hip if s.machine.torch else None
    if contract and torch and required and hip and torch.release[:2] != required.release[:2]:
        yield Finding(
            level="note",
            id=f"vllm/{contract.version}.json",
            title="Another torch than vLLM's ROCm build has",
            seen=f"torch {s.versions['torch']}; vLLM {contract.version} builds for ROCm with torch {required}",
            why="vLLM's compiled parts must be built against the torch that is installed.",
            confidence="confirmed",
            url=site("reference/versions"),
        )


def unknown_versions(s: Situation) -> Iterator[Finding]:
    """A version that cannot be used, or that is newer than the facts."""
    for name, version in s.versions.items():
        known = s.facts.releases.get(name, ())
        have, title, why = s.usable[name], "", ""
        remedies: tuple[Remedy, ...] = ()
        if version and have is None:
            title = f"{COMPONENTS[name]}'s version says nothing"
            why = "It is no release number, or that of a build without tags, so known issues cannot be matched."
            option = f"python3 -m verl_rocm check --{name} {known[-1] if known else '7.2.0'}"
            remedies = (Remedy(text="Name the release.", lines=(option,)),) if name in OPTIONS else ()
        elif known and have and (parsed := parse(have)) and Version(parsed.base_version) > Version(known[-1]):
            title = f"{COMPONENTS[name]} is newer than these facts"
            why = f"The newest stored release is {known[-1]}, and its names and defaults are used."
        if title:
            yield Finding(
                level="note",
                id=f"{name}/{known[-1]}.json" if known else name,
                title=title,
                seen=f"{COMPONENTS[name]} {version}",
                why=why,
                confidence="confirmed",
                url=site("reference/versions"),
                remedies=remedies,
            )


RULES = (known_issues, requirements, torch_of_vllm, unknown_versions)
