"""Known issues: matched by versions and arch, left out where the job cannot meet them, with fixes to paste."""

from typing import get_args

from tests.verl_rocm.dryrun.samples import result
from verl_rocm.dryrun import issues
from verl_rocm.facts.load import load
from verl_rocm.facts.schema import Use

VERSIONS: dict[str, str | None] = {"vllm": "0.24.0", "verl": "0.9.1", "rocm": "7.2.1"}


def states(made: dict[str, object], versions: dict[str, str | None] = VERSIONS) -> dict[str, str]:
    return {match.issue.id: match.state for match in issues.match(load(), made, versions)}


def test_each_use_that_facts_can_name_is_told_from_a_job() -> None:
    assert set(issues.USES) == set(get_args(Use))
    assert all(use(result()) in (True, False) for use in issues.USES.values())


def test_an_issue_concerns_a_job_that_uses_all_of_it() -> None:
    name, arch = "fp8-format-differs-by-arch", {"arch": "gfx942"}
    assert name not in states(result(gpu=arch))
    assert states(result(gpu=arch, resolved={"quantization": "fp8"}))[name] == "awaits"


def test_an_issue_awaits_by_version_and_is_gone_with_the_fix() -> None:
    assert states(result())["sleep-leaves-vram-full"] == "awaits"
    assert "sleep-leaves-vram-full" not in states(result(), VERSIONS | {"vllm": "0.30.0"})


def test_a_job_that_does_not_sleep_has_no_sleep_issue() -> None:
    assert "sleep-leaves-vram-full" not in states(result(sleep={"level": 0, "free_cache_engine": False}))


def test_a_fix_that_is_set_avoids_the_issue() -> None:
    name = "custom-all-reduce-expandable-segments"
    assert states(result())[name] == "awaits"
    assert states(result(resolved={"disable_custom_all_reduce": True}))[name] == "avoided"


def test_without_a_rocm_release_some_stay_unknown() -> None:
    assert states(result(), VERSIONS | {"rocm": None})["graph-replay-wrong-results-rocm-7-2"] == "unknown"
    assert states(result())["graph-replay-wrong-results-rocm-7-2"] == "awaits"


def test_arch_decides() -> None:
    name = "graph-replay-stale-buffer-mi355x"
    assert name not in states(result())
    assert states(result(gpu={"arch": "gfx950", "name": "MI355X"}))[name] == "awaits"


def test_fixes_are_overrides_to_paste() -> None:
    found = {match.issue.id: match for match in issues.match(load(), result(), VERSIONS)}
    assert "++actor_rollout_ref.rollout.free_cache_engine=False" in found["sleep-leaves-vram-full"].fixes
    env = found["ipc-memory-leak-rocm-7-2"].fixes
    assert "+ray_kwargs.ray_init.runtime_env.env_vars.HSA_ENABLE_IPC_MODE_LEGACY='\"1\"'" in env
