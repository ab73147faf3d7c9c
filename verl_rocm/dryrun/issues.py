"""Known issues of a job: by versions and arch from the facts, and by what the job really uses."""

from __future__ import annotations

from collections.abc import Mapping

from verl_rocm.facts.base import Facts
from verl_rocm.facts.conditions import Circumstances, holds
from verl_rocm.facts.schema import Fix, Issue, Value
from verl_rocm.facts.values import same
from verl_rocm.finding import of_issue
from verl_rocm.paste import UNSET, Target
from verl_rocm.worker.wire import Identity, Resolution

from .report import Match, State

ORDER: tuple[State, ...] = ("awaits", "unknown", "possible", "avoided")
Versions = Mapping[str, str | None]


def circumstances(job: Resolution, gpu: Identity) -> Circumstances:
    """What a resolved job shows to the conditions of known issues.

    Of the environment only what the job sends is known; what the cluster's shells have beside it is taken as absent.
    """
    return Circumstances(
        sleep=bool(job.sleep.level),
        sleep_pool=job.sleep.pool,
        graphs=bool(job.graphs.max),
        moe=job.model.moe,
        hybrid=job.model.hybrid,
        critic=job.config.get("algorithm.adv_estimator") == "gae",
        megatron=job.config.get("actor_rollout_ref.actor.strategy") == "megatron",
        radeon=False,
        architecture=job.model.architecture,
        gpu=gpu.name,
        nodes=job.sizes.nodes,
        replicas=job.sizes.replicas,
        settings=settings(job),
        environment=job.environment,
    )


def settings(job: Resolution) -> dict[str, object]:
    """Every value of a job by the name that facts use: verl's by key, vLLM's by argument."""
    graphs: dict[str, object] = {"cudagraph_mode": job.graphs.mode, "cudagraph_capture_sizes": list(job.graphs.sizes)}
    sizes: dict[str, object] = {"actor_rollout_ref.rollout.cudagraph_capture_sizes": list(job.graphs.sizes)}
    return {**job.config, **job.resolved, **graphs, **sizes}


def _is_set(facts: Facts, name: str, value: Value, job: Resolution) -> bool:
    """Whether the job already gives a setting that value; a list of graph sizes counts by its length."""
    if facts.place(name) == "env":
        there = job.environment.get(name)
        return same(UNSET if there is None else there, value)
    there_too = settings(job).get(name.rpartition(".")[2], settings(job).get(name))
    if isinstance(value, list):
        return isinstance(there_too, list) and 0 < len(there_too) <= len(value)
    return there_too is not None and same(there_too, value)


def in_force(facts: Facts, fix: Fix, job: Resolution) -> bool:
    """Whether the job already has all settings of a fix."""
    return bool(fix.settings) and all(_is_set(facts, name, value, job) for name, value in fix.settings.items())


def state(facts: Facts, issue: Issue, job: Resolution, gpu: Identity, versions: Versions) -> State | None:
    """How a known issue stands to the job; None if it does not concern it."""
    affected = issue.affects({**versions, "arch": gpu.arch})
    met = holds(issue.applies_when, circumstances(job, gpu))
    if affected is False or met is False:
        return None
    if any(in_force(facts, fix, job) for fix in issue.fixes):
        return "avoided"
    if met is None:
        return "possible"
    return "awaits" if affected else "unknown"


def matches(facts: Facts, job: Resolution, gpu: Identity, versions: Versions) -> tuple[Match, ...]:
    """Known issues of the job's releases and GPU, those that it meets first."""
    matched: list[Match] = []
    for issue in facts.issues.values():
        if stands := state(facts, issue, job, gpu, versions):
            matched.append(Match(state=stands, finding=of_issue(facts, issue, Target.OVERRIDE, "")))
    return tuple(sorted(matched, key=lambda match: (ORDER.index(match.state), match.finding.id)))


def brings(facts: Facts, job: Resolution, gpu: Identity, versions: Versions, component: str, version: str) -> list[str]:
    """Ids of issues that would await the job with another version of a component, and do not now."""
    other = {**versions, component: version}
    return [
        issue.id
        for issue in facts.issues.values()
        if state(facts, issue, job, gpu, other) == "awaits" and state(facts, issue, job, gpu, versions) != "awaits"
    ]
