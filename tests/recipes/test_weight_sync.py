"""The how-to on weight sync, on verl's trainer: a good run, and two in which the engine does not take the weights.

With ``RECIPE_RECORD`` set, what `verl-rocm sync-check` reads of their metrics is kept in tests/support/weight_sync, and
what it says of them is the output that the page shows.
"""

import json
import os
from pathlib import Path

import pytest

from tests.support import training
from verl_rocm.synccheck import judge, metrics

KEPT = training.ROOT / "tests" / "support" / "weight_sync"
READ = (metrics.DIFFERENCE, metrics.CORRELATION, metrics.SYNC, metrics.STEP, "critic/score/mean")
SHOWN = {"good": "weight_sync_good.txt", "kept_first": "weight_sync_bad.txt"}
STEPS = int(os.environ.get("STEPS") or 20)
NO_SYNC = {"VERL_ON_CPU_FAULT": "no-sync"}
OWN_WEIGHTS = "actor_rollout_ref.rollout.load_format=safetensors"  # the engine starts with the model's real weights


@pytest.fixture(scope="module")
def inputs() -> Path:
    return training.prepare(training.scratch("sync"))


def keep(run: training.Run, name: str) -> None:
    """Keep what the command reads of the metrics of a run."""
    if os.environ.get("RECIPE_RECORD"):
        kept = [{"step": step["step"], "data": {key: step[key] for key in READ}} for step in run.metrics]
        KEPT.mkdir(exist_ok=True)
        (KEPT / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
        if name in SHOWN:
            report = "\n".join(judge.report(metrics.read(KEPT / f"{name}.jsonl"))[1])
            page = training.ROOT / "snippets" / "how_to" / SHOWN[name]
            page.write_text(f"# [start:output]\n{report}\n# [end:output]\n")


def judged(run: training.Run) -> tuple[int, list[str]]:
    assert run.code == 0, f"verl itself notices nothing\n{run.tail()}"
    return judge.report(metrics.read(run.folder / "metrics.jsonl"))


def test_a_good_run(inputs: Path) -> None:
    run = training.run("grpo.sh", inputs, inputs / "good", steps=STEPS, more=["trainer.save_freq=-1"])
    assert judged(run)[0] == 0
    keep(run, "good")


@pytest.mark.parametrize(("name", "more", "agree"), [("never_loaded", [], 0), ("kept_first", [OWN_WEIGHTS], 1)])
def test_an_engine_that_does_not_take_the_weights(inputs: Path, name: str, more: list[str], agree: int) -> None:
    steps = STEPS if agree else 2
    run = training.run(
        "grpo.sh", inputs, inputs / name, steps=steps, more=[*more, "trainer.save_freq=-1"], variables=NO_SYNC
    )
    code, lines = judged(run)
    assert code == 1
    assert lines[-1] == f"verdict: {steps - agree} of {steps} steps sampled with other weights than the actor's"
    keep(run, name)
