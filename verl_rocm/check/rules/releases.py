"""Versions: known issues that hold for them, and whether they fit together."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.version import Version

from verl_rocm.check.findings import Finding, Remedy, of_issue
from verl_rocm.check.situation import Situation
from verl_rocm.facts.schema import Issue
from verl_rocm.facts.versions import contains, parse

NAMES = {"vllm": "vLLM", "verl": "verl", "rocm": "ROCm", "torch": "torch", "ray": "Ray", "driver": "driver"}
OPTIONS = ("vllm", "verl", "rocm")
# Issues that any colocated verl job meets with verl's defaults: sleep on, graphs on, tensor parallelism 2.
EVERY_JOB = (
    "sleep-refused-on-rocm",
    "mi250-has-no-sleep",
    "sleep-leaves-vram-full",
    "rocr-keeps-pages-of-unmapped-memory",
    "rocm-6-4-0-does-not-free",
    "memory-usage-increased-after-sleeping",
    "double-release-while-asleep",
    "wake-up-invalid-argument",
    "wake-out-of-memory-with-cached-blocks",
    "tensor-item-segfault-in-pool",
    "kv-cache-sized-without-graphs",
    "graph-replay-wrong-results-rocm-7-2",
    "capture-broken-by-watchdog",
    "capture-hangs-with-rccl-of-rocm-7-2-1",
    "ipc-memory-leak-rocm-7-2",
    "device-uuid-differs-between-processes",
    "msccl-corrupts-small-all-reduce",
    "scratch-reclaim-slows-rccl",
    "zero-gpu-actor-sees-no-gpu",
    "vram-stranded-after-kill",
    "vllm-too-old-for-verl",
)
# Issues whose rule looks at more than versions.
ELSEWHERE = (
    "sleep-pool-expandable-segments-assert",
    "sleep-pool-misses-alloc-conf-alias",
    "hipmemcreate-holds-file-descriptors",
    "vision2seq-import-error",
    "old-attention-variables-ignored",
)


def stack(s: Situation, issue: Issue) -> str:
    """The versions and GPUs here that a known issue is about."""
    ranges = [issue.versions, *issue.gone]
    asked = [name for name in NAMES if any(getattr(each, name) for each in ranges) and s.usable[name]]
    said = [f"{NAMES[name]} {s.versions[name]}" for name in asked]
    return ", ".join([*said, *(s.archs if issue.versions.archs else ())])


def bounded(issue: Issue) -> bool:
    """Whether a release ends an issue, or its range has an upper end; the others are advice for every machine."""
    return bool(issue.gone) or any("<" in spec or "==" in spec for spec in issue.versions.ranges().values())


def for_every_job(s: Situation) -> Iterator[Finding]:
    """Known issues of these versions that verl's defaults meet."""
    for name in EVERY_JOB:
        if s.awaits(name):
            yield of_issue(s, name, stack(s, s.facts.issues[name]))


def for_some_jobs(s: Situation) -> Iterator[Finding]:
    """Known issues of these versions that depend on the model, the parallelism or the options of a job."""
    for name, issue in s.facts.issues.items():
        if name not in (*EVERY_JOB, *ELSEWHERE) and bounded(issue) and s.awaits(name):
            yield of_issue(s, issue, stack(s, issue), "note")


def undecided(s: Situation) -> list[str]:
    """Known issues of ``for_every_job`` that cannot be decided because a version or the GPU is not known."""
    return [name for name in EVERY_JOB if s.holds(s.facts.issues[name]) is None]


def requirements(s: Situation) -> Iterator[Finding]:
    """What verl's own package asks of Ray, torch and vLLM; what only its extra ``vllm`` asks is a note."""
    contract = s.contract("verl")
    for project, wanted in (contract.section("requires") if contract else {}).items():
        have = s.usable.get(project)
        for each in wanted if have else ():
            need = Requirement(f"{project}{each}")
            always = need.marker is None
            extra = project == "vllm" and need.marker and need.marker.evaluate({"extra": "vllm"})  # its torch is CUDA's
            if not (always or extra) or contains(str(need.specifier), have or ""):
                continue
            whom = "verl" if always else "verl's extra `vllm`, which is for CUDA,"
            yield Finding(
                level="finding" if always else "note",
                id=f"verl/{contract.version}.json" if contract else "",
                title=f"verl {s.versions['verl']} was not released for {NAMES[project]} {have}",
                found=f"{NAMES[project]} {have}; {whom} asks for {need.specifier}",
                why="Upstream tests one combination; others may work.",
                confidence="confirmed",
            )


def torch_of_vllm(s: Situation) -> Iterator[Finding]:
    """vLLM's ROCm build of this release is made for another torch."""
    contract, torch = s.contract("vllm"), parse(s.usable["torch"] or "")
    wanted = parse(str(contract.stated("rocm", "torch"))) if contract else None
    hip = s.machine.torch.hip if s.machine.torch else None
    if contract and torch and wanted and hip and torch.release[:2] != wanted.release[:2]:
        yield Finding(
            level="note",
            id=f"vllm/{contract.version}.json",
            title="Another torch than vLLM's ROCm build has",
            found=f"torch {s.versions['torch']}; vLLM {contract.version} builds for ROCm with torch {wanted}",
            why="vLLM's compiled parts must be built against the torch that is installed.",
            confidence="confirmed",
        )


def unknown_versions(s: Situation) -> Iterator[Finding]:
    """A version that cannot be used, or that is newer than the facts."""
    for name, said in s.versions.items():
        known = s.facts.releases.get(name, ())
        have, title, why = s.usable[name], "", ""
        do: tuple[Remedy, ...] = ()
        if said and have is None:
            title = f"{NAMES[name]}'s version says nothing"
            why = "It is no release number, or that of a build without tags, so known issues cannot be matched."
            option = f"python3 -m verl_rocm check --{name} {known[-1] if known else '7.2.0'}"
            do = (Remedy(text="Name the release.", line=option),) if name in OPTIONS else ()
        elif known and have and (parsed := parse(have)) and Version(parsed.base_version) > Version(known[-1]):
            title = f"{NAMES[name]} is newer than these facts"
            why = f"The newest stored release is {known[-1]}, and its names and defaults are used."
        if title:
            yield Finding(
                level="note",
                id=f"{name}/{known[-1]}.json" if known else name,
                title=title,
                found=f"{NAMES[name]} {said}",
                why=why,
                confidence="confirmed",
                do=do,
            )


def transformers(s: Situation) -> Iterator[Finding]:
    """An older verl imports a class that transformers 5 no longer has."""
    version = s.machine.packages.get("transformers", "")
    if contains(">=5.dev0", version) and s.awaits("vision2seq-import-error"):
        said = f"transformers {version}, verl {s.versions['verl']}"
        yield of_issue(s, "vision2seq-import-error", said)


RULES = (for_every_job, requirements, transformers, torch_of_vllm, unknown_versions, for_some_jobs)
