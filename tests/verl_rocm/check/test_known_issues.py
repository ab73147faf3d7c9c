"""Matching of known issues: by version, by GPU, by fixes that are in force already."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verl_rocm.check.made import GONE, situation
from verl_rocm.check.rules.releases import ELSEWHERE, EVERY_JOB, bounded, for_every_job, for_some_jobs, undecided
from verl_rocm.facts.load import load
from verl_rocm.facts.schema import Issue
from verl_rocm.facts.versions import contains

FACTS = load()
TRIED = {
    "vllm": FACTS.releases["vllm"],
    "verl": FACTS.releases["verl"],
    "rocm": ("6.3.4", "6.4.0", "7.0.0", "7.1.0", "7.2.0", "7.2.1", "7.13.0", "10.0.0"),
    "ray": ("2.44.0", "2.54.0", "2.60.0"),
}


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
    described: dict[str, Any] = {"gpus": gpus, "packages": packages, "rocm": rocm} | changes
    s = situation(**described)
    return issue.id in [finding.id for finding in for_every_job(s)]


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
    for gone in issue.gone:
        ended = {c: next(v for v in reversed(TRIED[c]) if contains(spec, v)) for c, spec in gone.ranges().items()}
        assert not reported(issue, versions | ended)


def test_the_lists_name_issues_and_do_not_overlap() -> None:
    assert {*EVERY_JOB, *ELSEWHERE} <= set(FACTS.issues)
    assert not {*EVERY_JOB} & {*ELSEWHERE}


@pytest.mark.parametrize(
    ("changes", "found"),
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
def test_a_fix_in_force_silences_its_issue(changes: dict[str, Any], found: bool) -> None:
    ids = [finding.id for finding in for_every_job(situation(**changes))]
    assert ("ipc-memory-leak-rocm-7-2" in ids) is found


def test_an_unknown_patch_release_leaves_open_what_depends_on_it() -> None:
    assert "capture-broken-by-watchdog" in [f.id for f in for_every_job(situation(rocm="7.2.0"))]
    known_to_the_minor = situation(rocm="7.2")
    assert "capture-broken-by-watchdog" not in [f.id for f in for_every_job(known_to_the_minor)]
    assert "capture-broken-by-watchdog" in undecided(known_to_the_minor)
    assert undecided(situation(rocm="7.2.0")) == []
    of_torch = situation(rocm=None, torch__hip="7.2.26015-fc0010cf6a")  # the third number is no patch release
    assert undecided(of_torch) == undecided(known_to_the_minor)


def test_verl_may_set_the_variable_itself() -> None:
    old: Any = {"rocm": "7.13.0", "gpus": [{"arch": "gfx90a"}]}
    ids = [f.id for f in for_every_job(situation(packages={"verl": "0.7.1"}, **old))]
    assert "scratch-reclaim-slows-rccl" in ids
    ids = [f.id for f in for_every_job(situation(packages={"verl": "0.8.0"}, **old))]
    assert "scratch-reclaim-slows-rccl" not in ids
    ids = [f.id for f in for_every_job(situation(packages={"verl": GONE}, **old))]
    assert "scratch-reclaim-slows-rccl" in ids


def test_an_alternative_fix_counts() -> None:
    with_fix = situation(packages={"vllm": "0.25.0"}, rocm="7.2.0")
    without = situation(packages={"vllm": "0.24.0"}, rocm="7.2.0")
    assert "rocr-keeps-pages-of-unmapped-memory" in [f.id for f in for_every_job(without)]
    assert "rocr-keeps-pages-of-unmapped-memory" not in [f.id for f in for_every_job(with_fix)]


def test_issues_without_an_end_are_not_reported_by_version() -> None:
    s = situation(packages={"vllm": "0.24.0", "verl": "0.9.0"}, rocm="7.2.0")
    ids = {finding.id for finding in for_some_jobs(s)}
    assert ids
    assert all(bounded(FACTS.issues[name]) for name in ids)
    assert "graph-memory-survives-sleep" not in ids
    assert not ids & {*EVERY_JOB, *ELSEWHERE}


@pytest.mark.parametrize(
    ("asked", "gpu", "found"),
    [({"rocm": "7.2.0"}, "MI300X", True), ({"rocm": "7.2.0"}, None, False), ({}, "MI300X", False)],
)
def test_what_if(asked: dict[str, str], gpu: str | None, found: bool) -> None:
    ids = [finding.id for finding in for_every_job(situation("no_amd", asked=asked, gpu=gpu))]
    assert ("graph-replay-wrong-results-rocm-7-2" in ids) is found
