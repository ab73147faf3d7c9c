"""What is too long for `make doctest`: two ranks, resume, a critic, asynchronous training."""

from pathlib import Path

import pytest

from tests.support import training
from tests.support import training_checks as checks
from tests.support.training_report import keep, show

STEPS = 2


@pytest.fixture(scope="module")
def prepared() -> Path:
    return training.prepare(training.scratch("long"))


def test_two_ranks_with_two_replicas(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = training.run("grpo.sh", prepared, prepared / "two", steps=STEPS, gpus=2)
    with capsys.disabled():
        show(run, STEPS, "cpu", "grpo-two-ranks")
    checks.assert_trained(run, STEPS)
    engines = run.all_syncs("engine")
    assert len(engines) == 2, "one replica a rank"
    assert len({str(syncs) for syncs in engines.values()}) == 1, "both replicas hold the same weights after each sync"
    before, *after = next(iter(engines.values()))
    assert len(after) == STEPS and before != after[0] != after[1]
    keep(run, STEPS, "cpu", "grpo-two-ranks")


def test_a_run_goes_on_from_its_checkpoint(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = training.run("grpo.sh", prepared, prepared / "resume", steps=1, more=training.KEEP_LAST)
    checks.assert_trained(first, 1)
    (prepared / "resume" / "watch.jsonl").unlink()
    second = training.run("grpo.sh", prepared, prepared / "resume", steps=STEPS, more=training.KEEP_LAST)
    with capsys.disabled():
        show(second, STEPS, "cpu", "grpo-resumed")
    checks.assert_trained(second, STEPS, first=2)
    engine = second.syncs("engine")
    assert engine[0] == second.saved(1), "the engine starts with the weights of the checkpoint"
    assert engine[-1] == second.saved(STEPS) != second.saved(1)
    keep(second, STEPS, "cpu", "grpo-resumed")


def test_ppo_with_a_critic(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = training.run("ppo.sh", prepared, prepared / "ppo", steps=STEPS, more=training.CRITIC_ON_CPU)
    with capsys.disabled():
        show(run, STEPS, "cpu", "ppo")
    checks.assert_trained(run, STEPS)
    assert len(run.curve("critic/vf_loss")) == STEPS
    assert all(value > 0 for value in run.curve("critic/grad_norm"))
    keep(run, STEPS, "cpu", "ppo")


def test_fully_async(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = training.run("fully_async.sh", prepared, prepared / "async", steps=STEPS, gpus=2, more=training.ASYNC_ON_CPU)
    with capsys.disabled():
        show(run, STEPS, "cpu", "fully-async")
    assert run.code == 0, run.tail()
    (grad_norm,) = run.curve("actor/grad_norm")  # verl writes one line for both updates
    assert grad_norm > 0 and len(run.curve()) == 1
    actor, engine = run.syncs("actor"), run.syncs("engine")
    assert engine == actor, "the engine holds what the actor sent"
    assert len({str(weights) for weights in engine}) == STEPS + 1, "new weights while it generates"
    keep(run, STEPS, "cpu", "fully-async")
