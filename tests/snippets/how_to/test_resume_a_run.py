"""The script that resumes: what it hands to the recipe, and when it says that a run did not go on.

Real runs that are cut and resumed are in tests/recipes; here a stand-in for the recipe leaves what verl leaves.
"""

import inspect
import os
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from guide.doctest import processes
from tests.snippets.how_to.test_verl_settings import PYTHON3, compose

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "snippets" / "how_to" / "resume_a_run.sh"
# Makes steps FROM to TO, and a checkpoint of the last: metrics in verl's file logger's form.
RECIPE = """
printf '%s\\n' "$@" >"$OUT/overrides"
: >"$VERL_FILE_LOGGER_PATH"
for step in $(seq "$FROM" "$TO"); do
  printf '{"step":%s,"data":{"training/global_step":%s,"x":1}}\\n' "$step" "$step" >>"$VERL_FILE_LOGGER_PATH"
  mkdir -p "$OUT/checkpoints" && printf %s "$step" >"$OUT/checkpoints/latest_checkpointed_iteration.txt"
done
exit "${CODE:-0}"
"""


def start(folder: Path, first: int, last: int, *more: str, **variables: str) -> CompletedProcess[str]:
    recipe = folder / "recipe.sh"
    recipe.write_text(RECIPE)
    required = {"RECIPE": str(recipe), "OUT": str(folder), "FROM": str(first), "TO": str(last)}
    return processes.run(["bash", str(SCRIPT), *more], timeout=30, env=os.environ | required | variables, cwd=folder)


@pytest.mark.block("how_to/resume_a_run.sh", "variables", "before", "run", "after", evidence="checked")
def test_a_second_start_goes_on_and_keeps_the_first_metrics(tmp_path: Path) -> None:
    first = start(tmp_path, 1, 3)
    assert first.returncode == 0 and first.stdout == f"steps 1 to 3 in {tmp_path}/metrics-after-0.jsonl\n"
    second = start(tmp_path, 4, 5)
    assert second.returncode == 0 and second.stdout == f"steps 4 to 5 in {tmp_path}/metrics-after-3.jsonl\n"
    assert len((tmp_path / "metrics-after-0.jsonl").read_text().splitlines()) == 3


@pytest.mark.block("how_to/resume_a_run.sh", "after", evidence="checked")
@pytest.mark.parametrize(("first", "last", "message"), [(1, 2, "was 1"), (6, 6, "was 6"), (2, 1, "was none")])
def test_a_start_that_does_not_go_on_fails(tmp_path: Path, first: int, last: int, message: str) -> None:
    assert start(tmp_path, 1, 3).returncode == 0
    second = start(tmp_path, first, last)
    assert second.returncode == 1
    assert second.stdout == f"resume_a_run: after a checkpoint of step 3 the first step {message}: it did not resume\n"


@pytest.mark.block("how_to/resume_a_run.sh", "run", evidence="checked")
def test_a_failed_run_fails_the_script(tmp_path: Path) -> None:
    assert start(tmp_path, 1, 3, CODE="3").returncode == 3


@pytest.mark.block("how_to/resume_a_run.sh", "variables", "run", evidence="checked")
def test_verl_takes_what_the_script_hands_on(tmp_path: Path) -> None:
    start(tmp_path, 1, 1, "trainer.total_epochs=7", SAVE_EVERY="5", KEEP="3")
    trainer = compose((tmp_path / "overrides").read_text().splitlines()).trainer
    assert (trainer.resume_mode, trainer.save_freq, trainer.total_epochs) == ("auto", 5, 7)
    assert (trainer.max_actor_ckpt_to_keep, trainer.max_critic_ckpt_to_keep) == (3, 3)
    defaults = compose([]).trainer
    assert (defaults.resume_mode, defaults.save_freq, defaults.max_actor_ckpt_to_keep) == ("auto", -1, None)


@pytest.mark.block("how_to/resume_a_run_merge.sh", "merge", evidence="checked")
def test_the_merge_reads_the_newest_checkpoint_and_a_new_run_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("verl")
    from verl.model_merger.base_model_merger import parse_args

    checkpoints = tmp_path / "runs" / "grpo" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "latest_checkpointed_iteration.txt").write_text("40")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "grpo.sh").write_text('echo "$MODEL"; echo "$OUT"')
    (tmp_path / "python3").write_text(PYTHON3)
    (tmp_path / "python3").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    script = str(SCRIPT.with_name("resume_a_run_merge.sh"))
    lines = processes.run(["bash", script], timeout=30, env=environment, cwd=tmp_path).stdout.splitlines()
    assert lines[-2:] == [str(tmp_path / "merged-40"), str(tmp_path / "runs" / "grpo-from-40")]
    assert lines[:2] == ["-m", "verl.model_merger"]
    monkeypatch.setattr("sys.argv", lines[1:-2])
    options = parse_args()
    assert (options.operation, options.backend) == ("merge", "fsdp")
    assert (options.local_dir, options.target_dir) == ("runs/grpo/checkpoints/global_step_40/actor", "merged-40")


def save(manager: Any, folder: Path, steps: range, keep: int) -> set[str]:
    """Save as verl's FSDP manager and trainer do, without weights; the steps of which ``actor`` is still there."""
    for step in steps:
        manager.ensure_checkpoint_capacity(keep)
        actor = folder / f"global_step_{step}" / "actor"
        actor.mkdir(parents=True)
        manager.register_checkpoint(str(actor), keep)
        (actor.parent / "data.pt").touch()
    return {path.parent.name.removeprefix("global_step_") for path in folder.glob("*/actor")}


@pytest.mark.block("how_to/resume_a_run.sh", "variables", evidence="checked")
def test_which_checkpoints_verl_keeps(tmp_path: Path) -> None:
    """The page's reasons for two, and for a disk that fills; with verl's own class."""
    pytest.importorskip("verl")
    from verl.utils.checkpoint.checkpoint_manager import BaseCheckpointManager

    def manager() -> Any:
        instance = BaseCheckpointManager.__new__(BaseCheckpointManager)  # without a process group
        instance.previous_saved_paths = []
        return instance

    assert save(manager(), tmp_path, range(1, 4), keep=2) == {"2", "3"}
    assert (tmp_path / "global_step_1" / "data.pt").is_file(), "only actor and critic of an old one are removed"
    assert save(manager(), tmp_path, range(4, 7), keep=2) == {"2", "3", "5", "6"}, "another start does not count them"
    assert save(manager(), tmp_path / "one", range(1, 3), keep=1) == {"2"}, "gone before the trainer names the new one"


@pytest.mark.block("how_to/resume_a_run.sh", "run", evidence="checked")
def test_a_rank_reads_the_file_of_its_own_number() -> None:
    pytest.importorskip("verl")
    from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager

    reads = inspect.getsource(FSDPCheckpointManager.load_checkpoint)
    for kind in ("model", "optim", "extra_state"):
        assert f'f"{kind}_world_size_{{self.world_size}}_rank_{{self.rank}}.pt"' in reads
