"""The guide's recipes as launch scripts, on the GPUs that they are for."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tests.verl_rocm.engine.jobs import ALL_GPUS, requested, resolve
from verl_rocm.dryrun import command as dryrun

RECIPES = Path(__file__).resolve().parents[3] / "snippets" / "how_to" / "recipes"
CASES = [*(("grpo.sh", gpu) for gpu in ALL_GPUS), *((r, g) for r in ("ppo.sh", "fully_async.sh") for g in ALL_GPUS[:2])]


@lru_cache(maxsize=1)
def results() -> dict[tuple[str, str], dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        asked = []
        for recipe, gpu in CASES:
            one = dryrun.Asked([], gpus=[gpu], rocm="7.2.1", script=RECIPES / recipe)
            (identity,) = dryrun.identities(one)
            (job,) = dryrun.jobs(one, identity["arch"])
            asked.append(requested(one, job, Path(name)))
        return dict(zip(CASES, resolve(asked), strict=True))


@pytest.mark.parametrize(("recipe", "gpu"), CASES)
def test_a_recipe_has_no_finding(recipe: str, gpu: str) -> None:
    """What the guide recommends, the guide's own dry run has nothing to say against."""
    result = results()[recipe, gpu]
    assert "problem" not in result, result["problem"]
    assert [item["text"] for item in result["findings"] if item["level"] == "finding"] == []
    assert result["graphs"]["max"] == 256


@pytest.mark.parametrize("gpu", ALL_GPUS)
def test_the_generation_decides_over_sleep(gpu: str) -> None:
    """MI250 has no sleep here, and its RCCL needs the variable, which verl sends itself unless the shell has it."""
    result = results()["grpo.sh", gpu]
    sleeps = gpu != "MI250X"
    assert result["sleep"] == {"mode": "hybrid", "free_cache_engine": sleeps, "pool": sleeps, "level": 2 * sleeps}
    assert result["environment"]["HSA_NO_SCRATCH_RECLAIM"] == "1"
    awaiting = {item["id"] for item in result["issues"] if item["state"] == "awaits"}
    assert ("ipc-memory-leak-rocm-7-2" in awaiting) == sleeps
    assert "sleep-pool-misses-alloc-conf-alias" not in awaiting or sleeps


def test_an_asynchronous_engine_never_sleeps() -> None:
    assert {results()["fully_async.sh", gpu]["sleep"]["mode"] for gpu in ALL_GPUS[:2]} == {"standalone"}
