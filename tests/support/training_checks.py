"""What it means that a recipe trained: the weights on both sides of each sync, the odds of the tokens, the reward."""

from __future__ import annotations

import itertools
from collections.abc import Set
from statistics import mean

from tests.support.training import Run


def assert_trained(run: Run, steps: int, first: int = 1) -> None:
    """The run ended well, made steps ``first`` to ``steps``, and in each engine and actor gave tokens the same odds."""
    assert run.code == 0, f"exit code {run.code}\n{run.tail()}"
    assert run.curve("step") == list(range(first, steps + 1))
    for step in run.metrics:
        assert step["training/rollout_probs_diff_mean"] < 0.01, step
        assert step["training/rollout_actor_probs_pearson_corr"] > 0.99, step
        assert step["actor/grad_norm"] > 0, step


def assert_synced(run: Run, steps: int) -> None:
    """After each sync the engine held what the actor sent; each update changed it; the checkpoint holds the last."""
    actor, engine = run.syncs("actor"), run.syncs("engine")
    assert len(engine) == steps + 1, "one sync before the first step and one after each"
    names = engine[0].keys() & actor[0].keys()  # a tied lm_head has a name on one side alone
    actor, engine = only(actor, names), only(engine, names)
    assert len(names) > 5 and engine == actor, "the engine holds other weights than the actor sent"
    for before, after in itertools.pairwise(engine):
        changed = sum(before[name] != after[name] for name in before)
        assert changed > len(before) / 2, f"an update changed {changed} of {len(before)} weights in the engine"
    assert [engine[-1]] == only([run.saved(steps)], names)


def only(digests: list[dict[str, str]], names: Set[str]) -> list[dict[str, str]]:
    """The same digests, of some weights."""
    return [{name: digest[name] for name in sorted(names)} for digest in digests]


def assert_learned(run: Run) -> None:
    """The mean reward of the last quarter of the steps is at least twice that of the first."""
    curve = run.curve()
    quarter = max(1, len(curve) // 4)
    first, last = mean(curve[:quarter]), mean(curve[-quarter:])
    assert last > 2 * first, f"reward {first:.4f} -> {last:.4f}"
