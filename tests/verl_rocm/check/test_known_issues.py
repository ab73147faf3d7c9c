"""Matching of known issues: by version, by GPU, by fixes that are in force already."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verl_rocm.check.descriptions import GONE, situation
from verl_rocm.check.rules.releases import known_issues, undecided
from verl_rocm.check.situation import Situation, bounded
from verl_rocm.facts.load import load
from verl_rocm.facts.schema import Issue
from verl_rocm.facts.versions import contains

FACTS = load()
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
TRIED = {
    "vllm": FACTS.releases["vllm"],
    "verl": FACTS.releases["verl"],
    "rocm": ("6.3.4", "6.4.0", "7.0.0", "7.1.0", "7.2.0", "7.2.1", "7.13.0", "10.0.0"),
    "ray": ("2.44.0", "2.54.0", "2.60.0"),
}


def findings(s: Situation, level: str = "finding") -> list[str]:
    return [finding.id for finding in known_issues(s) if finding.level == level]


def affected(issue: Issue) -> dict[str, str]:
    """The oldest versions on which the issue lives, of those that it limits."""
    ranges = issue.versions.ranges()
    return {name: next(v for v in TRIED[name] if contains(spec, v)) for name, spec in ranges.items()}


def reported(issue: Issue, versions: dict[str, str], **changes: Any) -> bool:
    gpus = [{"arch": issue.versions.archs[0] if issue.versions.archs else "gfx942"}]
    packages = {"verl": "0.3.0.post0", "vllm": "0.24.0"} | {
        k: v for k, v in versions.items() if k != "rocm"
    }  # old ones, so that no other fix is in force
    rocm = versions.get("rocm", "7.0.0")
    described: dict[str, object] = {"gpus": gpus, "packages": packages, "rocm": rocm} | changes
    s = situation(described)
    return issue.id in findings(s)


@pytest.mark.parametrize("name", EVERY_JOB)
def test_each_issue_of_every_job_is_found_where_it_holds_and_nowhere_else(name: str) -> None:
    issue = FACTS.issues[name]
    versions = affected(issue)
    assert reported(issue, versions)
    for component, spec in issue.versions.ranges().items():
        outside = [v for v in TRIED[component] if not contains(spec, v)]
        assert outside, f"{name}: no version outside {spec} is tried"
        assert not any(reported(issue, versions | {component: v}) for v in outside)
    if issue.versions.archs:
        assert not reported(issue, versions, gpus=[{"arch": "gfx1100"}])
    for ended_by in issue.fixed_in:
        ended = {c: next(v for v in reversed(TRIED[c]) if contains(spec, v)) for c, spec in ended_by.ranges().items()}
        assert not reported(issue, versions | ended)


@pytest.mark.parametrize(
    ("changes", "reports"),
    [
        ({"rocm": "7.2.0"}, True),
        ({"rocm": "7.2.0", "environment": {"HSA_ENABLE_IPC_MODE_LEGACY": "1"}}, False),
        ({"rocm": "7.2.0", "environment": {"HSA_ENABLE_IPC_MODE_LEGACY": "true"}}, False),
        ({"rocm": "7.2.0", "environment": {"HSA_ENABLE_IPC_MODE_LEGACY": "0"}}, True),
        ({"rocm": "7.2.0", "gpus": [{"arch": "gfx90a"}]}, False),
        ({"rocm": "7.2.0", "gpus": [{"arch": "gfx90a"}, {"arch": "gfx950"}]}, True),
        ({"rocm": "7.2"}, True),
        ({"rocm": "7.2-43"}, False),  # a post release to PEP 440, and no release of ROCm
        ({"rocm": None, "torch__hip": "7.2.26015-fc0010cf6a"}, True),
        ({"rocm": None, "torch": None}, False),
    ],
)
def test_a_fix_in_force_silences_its_issue(changes: dict[str, object], reports: bool) -> None:
    ids = findings(situation(changes))
    assert ("ipc-memory-leak-rocm-7-2" in ids) is reports


def test_an_unknown_patch_release_leaves_open_what_depends_on_it() -> None:
    assert "capture-broken-by-watchdog" in findings(situation(rocm="7.2.0"))
    known_to_the_minor = situation(rocm="7.2")
    assert "capture-broken-by-watchdog" not in findings(known_to_the_minor)
    assert "capture-broken-by-watchdog" in undecided(known_to_the_minor)
    assert undecided(situation(rocm="7.2.0")) == []
    of_torch = situation(rocm=None, torch__hip="7.2.26015-fc0010cf6a")  # the third number is no patch release
    assert undecided(of_torch) == undecided(known_to_the_minor)


def test_verl_may_set_the_variable_itself() -> None:
    old: Any = {"rocm": "7.13.0", "gpus": [{"arch": "gfx90a"}]}
    ids = findings(situation(packages={"verl": "0.7.1"}, **old))
    assert "scratch-reclaim-slows-rccl" in ids
    ids = findings(situation(packages={"verl": "0.8.0"}, **old))
    assert "scratch-reclaim-slows-rccl" not in ids
    ids = findings(situation(packages={"verl": GONE}, **old))
    assert "scratch-reclaim-slows-rccl" in ids


def test_an_alternative_fix_counts() -> None:
    with_fix = situation(packages={"vllm": "0.25.0"}, rocm="7.2.0")
    without = situation(packages={"vllm": "0.24.0"}, rocm="7.2.0")
    assert "rocr-keeps-pages-of-unmapped-memory" in findings(without)
    assert "rocr-keeps-pages-of-unmapped-memory" not in findings(with_fix)


def test_issues_without_an_end_are_not_reported_by_version() -> None:
    s = situation(packages={"vllm": "0.24.0", "verl": "0.9.0"}, rocm="7.2.0")
    ids = {*findings(s, "note")}
    assert ids
    assert all(bounded(FACTS.issues[name]) for name in ids)
    assert "graph-memory-survives-sleep" not in ids
    assert not ids & {*findings(s)}


@pytest.mark.parametrize(
    ("assumed", "gpu", "reports"),
    [({"rocm": "7.2.0"}, "MI300X", True), ({"rocm": "7.2.0"}, None, False), ({}, "MI300X", False)],
)
def test_what_if(assumed: dict[str, str], gpu: str | None, reports: bool) -> None:
    ids = findings(situation(name="no_amd", assumed=assumed, gpu=gpu))
    assert ("graph-replay-wrong-results-rocm-7-2" in ids) is reports
