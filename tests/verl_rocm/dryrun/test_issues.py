"""Known issues: matched by versions and arch, left out where the job cannot meet them, with fixes to paste."""

from __future__ import annotations

from typing import Any

from tests.verl_rocm.dryrun.samples import GPU, MI355X, VERSIONS, report, resolution
from verl_rocm.dryrun import issues
from verl_rocm.dryrun.resolve import releases
from verl_rocm.facts.load import load
from verl_rocm.worker.wire import Identity

FACTS = load()
EXPANDABLE = {"PYTORCH_HIP_ALLOC_CONF": "expandable_segments:True"}


def states(
    gpu: Identity = GPU, rocm: str | None = "7.2.1", vllm: str = VERSIONS["vllm"], **changes: Any
) -> dict[str, str]:
    versions = releases({**VERSIONS, "vllm": vllm}, rocm)
    return {m.finding.id: m.state for m in issues.matches(FACTS, resolution(**changes), gpu, versions)}


def test_an_issue_concerns_a_job_that_uses_all_of_it() -> None:
    name = "fp8-format-differs-by-arch"
    assert name not in states()
    assert states(resolved={"quantization": "fp8"})[name] == "awaits"


def test_an_issue_awaits_by_version_and_is_gone_with_the_fix() -> None:
    assert states()["sleep-leaves-vram-full"] == "awaits"
    assert "sleep-leaves-vram-full" not in states(vllm="0.30.0")


def test_a_job_that_does_not_sleep_has_no_sleep_issue() -> None:
    assert "sleep-leaves-vram-full" not in states(sleep={"level": 0, "free_cache_engine": False})


def test_a_fix_that_is_set_avoids_the_issue() -> None:
    name = "custom-all-reduce-expandable-segments"
    assert states(environment=EXPANDABLE)[name] == "awaits"
    assert states(environment=EXPANDABLE, resolved={"disable_custom_all_reduce": True})[name] == "avoided"


def test_a_job_that_sets_no_expandable_segments_is_not_told_about_them() -> None:
    """Both were false alarms once: such a job was told to unset the variables, and to set one of them."""
    about = {"custom-all-reduce-expandable-segments", "sleep-pool-misses-alloc-conf-alias"}
    assert not about & set(states())
    assert about <= set(states(environment=EXPANDABLE))


def test_without_a_rocm_release_some_stay_unknown() -> None:
    assert states(rocm=None)["graph-replay-wrong-results-rocm-7-2"] == "unknown"
    assert states()["graph-replay-wrong-results-rocm-7-2"] == "awaits"


def test_arch_decides() -> None:
    name = "graph-replay-stale-buffer-mi355x"
    assert name not in states()
    assert states(gpu=MI355X)[name] == "awaits"


def test_what_no_configuration_tells_is_possible() -> None:
    assert states()["sleep-while-requests-run"] == "possible"


def test_fixes_are_overrides_to_paste() -> None:
    matched = {m.finding.id: m.finding for m in issues.matches(FACTS, resolution(), GPU, releases(VERSIONS, "7.2.1"))}
    lines = {name: [line for way in item.remedies for line in way.lines] for name, item in matched.items()}
    assert "actor_rollout_ref.rollout.free_cache_engine=False" in lines["sleep-leaves-vram-full"]
    variable = "++ray_kwargs.ray_init.runtime_env.env_vars.HSA_ENABLE_IPC_MODE_LEGACY='\"1\"'"
    assert variable in lines["ipc-memory-leak-rocm-7-2"]


def test_an_upgrade_says_what_it_brings() -> None:
    versions = releases({**VERSIONS, "vllm": "0.24.0"}, "7.2.1")
    assert issues.brings(FACTS, resolution(), GPU, versions, "vllm", "0.27.0") == ["first-wake-memory-fault"]
    assert issues.brings(FACTS, resolution(), GPU, versions, "vllm", "0.33.0") == []


def test_no_report_advises_both_a_value_and_its_opposite() -> None:
    """Over jobs of many kinds: two fixes of issues that both await never exclude each other without saying so."""
    for environment in ({}, EXPANDABLE, {"VLLM_ROCM_USE_AITER": "1"}):
        awaiting = report(environment=environment).of_state("awaits")
        entries = [FACTS.issues[item.id] for item in awaiting]
        for issue in entries:
            reported = {conflict.id for entry in entries for conflict in entry.conflicts_with} | {issue.id}
            for other in entries:
                if other.id in reported or issue.id in reported:
                    continue
                mine = {(n, str(v)) for fix in issue.fixes for n, v in fix.settings.items()}
                theirs = {(n, str(v)) for fix in other.fixes for n, v in fix.settings.items()}
                assert not {n for n, _ in mine - theirs} & {n for n, _ in theirs - mine} or mine & theirs
