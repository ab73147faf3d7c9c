"""The recipes train: verl's own trainer runs the guide's launch script, small."""

import os
from pathlib import Path

import pytest

from guide.doctest.plugin import Evidence
from guide.records import recipes
from guide.records.blocks import Accelerator
from tests.support import training
from tests.support import training_checks as checks
from tests.support.training_report import OUTPUT, keep, show, shown

STEPS = int(os.environ.get("STEPS") or 2)


@pytest.fixture(scope="module")
def inputs(request: pytest.FixtureRequest) -> Path:
    """Model and data of the runs of this module."""
    return training.prepare(training.scratch("grpo"), str(request.config.getoption("--model")))


@pytest.mark.block("how_to/recipes/settings.sh", "variables", "rollout", "sleep", "actor", "data", "keep")
@pytest.mark.block("how_to/recipes/grpo.sh", "launch")
@pytest.mark.block("how_to/recipes/guard.py", "watch", "reason", "clean")
@pytest.mark.block("tutorial/arithmetic_data.py", "imports", "row", "write")
@pytest.mark.block("tutorial/arithmetic_reward.py", "reward")
def test_grpo_trains(
    inputs: Path, accelerator: Accelerator, evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    run = training.run("grpo.sh", inputs, inputs / "run", steps=STEPS, accelerator=accelerator, more=training.KEEP_LAST)
    with capsys.disabled():
        show(run, STEPS, accelerator)
    checks.assert_trained(run, STEPS)
    checks.assert_synced(run, STEPS)
    if STEPS >= 20:
        checks.assert_learned(run)
    assert not run.left, f"left behind: {run.left}"
    keep(run, STEPS, accelerator)
    named = inputs / training.NAMED
    evidence.passed(model=named.read_text() if named.is_file() else "a tiny Qwen2", steps=STEPS, GPUS=1)
    evidence.measured(
        seconds=run.seconds, peak_gib=run.peak_gib, reward_first=run.curve()[0], reward_last=run.curve()[-1]
    )


@pytest.mark.block("how_to/recipes/recorded_runs.txt", "runs", "not_exercised", evidence="checked")
def test_the_page_shows_the_record() -> None:
    record = recipes.load(training.ROOT / "records" / "recipes" / "cpu-x86_64.json")
    assert OUTPUT.read_text(encoding="utf-8") == shown(record)
    grpo = record.runs["grpo-20"].reward
    assert len(grpo) == 20 and sum(grpo[-5:]) > 2 * sum(grpo[:5])
