"""The how-to on resuming, on verl's trainer: cut and resumed against a run that was not cut."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import training

SCRIPT = "../resume_a_run.sh"  # beside the folder of the recipes
LR = "actor_rollout_ref.actor.optim.lr_warmup_steps=10"  # so that each step has a rate of its own
WEIGHTS = "actor_rollout_ref.actor.checkpoint.save_contents=[model,optimizer,extra,hf_model]"
CUT, END = 3, 5


@pytest.fixture(scope="module")
def prepared() -> Path:
    return training.prepare(training.scratch("cut"))


def start(prepared: Path, name: str, steps: int, *, gpus: int = 1) -> training.Run:
    """One start of the script, keeping the two newest checkpoints; the prompts of each step go to a folder."""
    folder = prepared / name
    return training.run(
        SCRIPT,
        prepared,
        folder,
        steps=steps,
        gpus=gpus,
        variables={"SAVE_EVERY": "1", "KEEP": "2"},
        more=[LR, WEIGHTS, f"trainer.rollout_data_dir={folder / 'rollouts'}"],
    )


def rates(folder: Path, after: int) -> dict[int, float]:
    """Learning rate of each step in the metrics of one start."""
    lines = (folder / "out" / f"metrics-after-{after}.jsonl").read_text().splitlines()
    return {step["step"]: step["data"]["actor/lr"] for step in map(json.loads, lines)}


def prompts(folder: Path, step: int) -> list[str]:
    """The prompts that a step was made of."""
    return sorted(json.loads(line)["input"] for line in (folder / "rollouts" / f"{step}.jsonl").open())


def test_a_cut_run_goes_on_from_its_checkpoint(prepared: Path) -> None:
    first = start(prepared, "cut", CUT)
    assert first.code == 0, first.tail()
    folder = prepared / "cut"
    saved = first.saved(CUT)
    (folder / "watch.jsonl").unlink()
    checkpoints = folder / "out" / "checkpoints"
    assert sorted(path.parent.name for path in checkpoints.glob("*/actor")) == ["global_step_2", "global_step_3"]
    assert (checkpoints / "global_step_1" / "data.pt").is_file(), "only actor and critic of an old one are removed"

    second = start(prepared, "cut", END)
    assert second.code == 0, second.tail()
    assert f"steps {CUT + 1} to {END} in " in second.output
    assert second.syncs("engine")[0] == saved, "the engine starts with the weights of the checkpoint"
    kept = sorted(path.parent.name for path in checkpoints.glob("*/actor"))
    assert kept == [f"global_step_{step}" for step in (2, 3, 4, 5)], "those of the first start are not counted"


def test_the_merged_weights_are_those_of_the_checkpoint(prepared: Path) -> None:
    from safetensors.torch import load_file

    from tests.support.verl_on_cpu.watch import digest

    actor = prepared / "cut" / "out" / "checkpoints" / f"global_step_{END}" / "actor"
    command = [
        sys.executable,
        "-m",
        "verl.model_merger",
        "merge",
        "--backend",
        "fsdp",
        "--local_dir",
        str(actor),
        "--target_dir",
        str(prepared / "merged"),
    ]
    subprocess.run(command, check=True, timeout=300)
    (merged,) = (prepared / "merged").glob("*.safetensors")
    (saved,) = actor.glob("huggingface/*.safetensors")
    weights = load_file(merged)
    assert digest(weights.items()) == digest(load_file(saved).items()) != {}
    size = sum(file.stat().st_size for kind in ("model", "optim") for file in actor.glob(f"{kind}_world_size_*.pt"))
    assert 12 <= size / sum(weight.numel() for weight in weights.values()) < 14, "the page says 12 bytes a parameter"


def test_another_number_of_ranks_cannot_resume(prepared: Path) -> None:
    other = start(prepared, "cut", END + 1, gpus=2)
    assert other.code != 0
    assert "model_world_size_2_rank_" in other.output and "FileNotFoundError" in other.output, other.tail()
    assert not other.left


def test_samples_and_learning_rate_are_those_of_a_run_that_was_not_cut(prepared: Path) -> None:
    whole = start(prepared, "whole", END)
    assert whole.code == 0, whole.tail()
    uncut, cut = prepared / "whole", prepared / "cut"
    assert rates(cut, 0) | rates(cut, CUT) == rates(uncut, 0)
    assert len(set(rates(uncut, 0).values())) == END
    for step in range(1, END + 1):
        assert prompts(cut, step) == prompts(uncut, step), f"other samples in step {step}"
    assert prompts(cut, CUT + 1) != prompts(cut, 1)
