"""The lesson on GRPO from its data to its plot, on verl's trainer."""

import json

from tests.support import training


def test_the_lesson_ends_with_a_curve() -> None:
    prepared = training.prepare(training.scratch("lesson"))
    folder = prepared / "run"
    metrics = folder / "out" / "metrics-1.jsonl"
    run = training.run(
        "../../tutorial/train_with_grpo.sh",
        prepared,
        folder,
        steps=2,
        more=[f"hydra.run.dir={folder / 'hydra'}", "trainer.save_freq=-1"],
        variables={"VERL_FILE_LOGGER_PATH": str(metrics)},
    )
    assert run.code == 0, run.tail()
    assert run.output.splitlines()[-1] == "verdict: rollout and actor agree at every step"
    assert [json.loads(line)["step"] for line in metrics.open()] == [1, 2]
    drawn = (folder / "out" / "rewards.svg").read_text()
    assert "<svg" in drawn and "line2d" in drawn
