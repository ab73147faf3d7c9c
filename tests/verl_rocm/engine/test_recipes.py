"""The guide's recipes as launch scripts, on the GPUs that they are for."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import pytest

from tests.verl_rocm.engine.jobs import ALL_GPUS, Answer, requested, resolved
from verl_rocm.dryrun.jobs import RECIPE, Question, identities, jobs
from verl_rocm.dryrun.report import Report
from verl_rocm.worker.overrides import by_key
from verl_rocm.worker.wire import Sleep

RECIPES = Path(__file__).resolve().parents[3] / "snippets" / "how_to" / "recipes"
CASES = [*(("grpo.sh", gpu) for gpu in ALL_GPUS), *((r, g) for r in ("ppo.sh", "fully_async.sh") for g in ALL_GPUS[:2])]


def accepted(answer: Answer) -> Report:
    assert isinstance(answer, Report), answer.problems
    return answer


@lru_cache(maxsize=1)
def results() -> dict[tuple[str, str], Report]:
    with tempfile.TemporaryDirectory() as name:
        pairs = []
        for recipe, gpu in CASES:
            question = Question(gpus=(gpu,), rocm="7.2.1", script=RECIPES / recipe)
            (identity,) = identities(question)
            (job,) = jobs(question, identity.arch)
            pairs.append(requested(question, job, Path(name)))
        return dict(zip(CASES, map(accepted, resolved(pairs)), strict=True))


@pytest.mark.parametrize(("recipe", "gpu"), CASES)
def test_a_recipe_has_no_finding(recipe: str, gpu: str) -> None:
    """What the guide recommends, the guide's own dry run has nothing to say against."""
    report = results()[recipe, gpu]
    assert [item.title for item in report.findings if item.level == "finding"] == []
    assert report.resolution.graphs.max == 256


@pytest.mark.parametrize("gpu", ALL_GPUS)
def test_the_generation_decides_over_sleep(gpu: str) -> None:
    """The MI200 series has no sleep here, and its RCCL needs the variable: verl sends it unless the shell has it."""
    report = results()["grpo.sh", gpu]
    sleeps = report.gpu.arch != "gfx90a"
    assert report.resolution.sleep == Sleep(mode="hybrid", free_cache_engine=sleeps, pool=sleeps, level=2 * sleeps)
    assert report.resolution.environment["HSA_NO_SCRATCH_RECLAIM"] == "1"
    awaiting = {item.id for item in report.of_state("awaits")}
    assert ("ipc-memory-leak-rocm-7-2" in awaiting) == sleeps
    assert "sleep-pool-misses-alloc-conf-alias" not in awaiting or sleeps


def test_an_asynchronous_engine_never_sleeps() -> None:
    assert {results()["fully_async.sh", gpu].resolution.sleep.mode for gpu in ALL_GPUS[:2]} == {"standalone"}


def test_what_the_tool_completes_is_what_the_recipe_says() -> None:
    question = Question(gpus=("MI300X",), script=RECIPES / "grpo.sh")
    (job,) = jobs(question, "gfx942")
    named = by_key(job.arguments)
    assert {key: named[key] for key in RECIPE} == RECIPE
