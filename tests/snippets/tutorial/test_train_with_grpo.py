"""The lesson on GRPO: its commands with stand-ins, and the dry run as it stands; tests/recipes runs it for real."""

import os
import sys
from pathlib import Path

import pytest

from guide.doctest import processes
from tests.snippets.how_to.test_verl_settings import PYTHON3, compose
from tests.support.reports import settled

ROOT = Path(__file__).parents[3]
TUTORIAL = ROOT / "snippets" / "tutorial"


def run(name: str, path: str, *more: str, **variables: str) -> tuple[int, str]:
    """Exit code and output of one script of the lesson, with ``path`` in front of PATH."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VLLM_", "TORCH_COMPILE_", "TOKENIZERS_"))}
    environment = kept | {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "88"} | variables
    done = processes.run(["bash", str(TUTORIAL / name), *more], timeout=300, env=environment, cwd=ROOT)
    return done.returncode, done.stdout


def stand_in(folder: Path, name: str) -> str:
    program = folder / name
    program.write_text(PYTHON3)
    program.chmod(0o755)
    return str(folder)


@pytest.mark.block("tutorial/train_with_grpo_settings.sh", "settings", evidence="checked")
@pytest.mark.block("tutorial/train_with_grpo.sh", "data", "train", "judge", "plot", evidence="checked")
def test_the_commands_of_the_lesson(tmp_path: Path) -> None:
    data = {"TRAIN_FILES": f"{tmp_path}/sums/train.parquet", "VAL_FILES": f"{tmp_path}/sums/val.parquet"}
    variables = {"OUT": str(tmp_path / "out"), **data}
    code, output = run("train_with_grpo.sh", stand_in(tmp_path, "python3"), "trainer.test_freq=7", **variables)
    assert code == 0, output
    words = output.splitlines()
    for file in ("arithmetic_data.py", "weight_sync.py", "plot_rewards.py"):
        (path,) = [word for word in words if word.endswith(file)]
        assert (ROOT / path).is_file()
    assert words[1:4] == [f"{tmp_path}/sums", "--rows", "5120"]
    begin = words.index("verl.trainer.main_ppo") + 1
    config = compose(words[begin : words.index("snippets/how_to/weight_sync.py")])
    assert config.trainer.test_freq == 7, "what follows on the command line comes last"
    assert Path(config.reward.custom_reward_function.path).is_file()
    assert (config.data.train_files, config.data.max_response_length) == (data["TRAIN_FILES"], 32)
    assert 5120 / config.data.train_batch_size * config.trainer.total_epochs == 20, "the page says 20 steps"
    assert (config.trainer.save_freq, config.actor_rollout_ref.rollout.calculate_log_probs) == (20, True)


@pytest.mark.block("tutorial/train_with_grpo_container.sh", "container", evidence="checked")
def test_the_image_is_built_before_the_shell_opens(tmp_path: Path) -> None:
    code, output = run("train_with_grpo_container.sh", stand_in(tmp_path, "docker"))
    *built, refused = output.splitlines()
    assert built[:3] == ["build", "--tag", "verl-rocm:0.9.1"]
    assert all((ROOT / built[index]).exists() for index in (4, 5))
    if not Path("/dev/kfd").exists():
        assert code == 2 and "no /dev/kfd" in refused, (
            "the script that the lesson calls refuses a host without AMD GPUs"
        )


@pytest.mark.block("tutorial/train_with_grpo_ask.sh", "ask", evidence="dry run")
@pytest.mark.block("tutorial/train_with_grpo_output.txt", "ask_output", evidence="dry run")
def test_the_dry_run_says_what_the_page_shows() -> None:
    pytest.importorskip("vllm")
    names = ("MODEL", "TRAIN_FILES", "VAL_FILES", "OUT", "GPUS")
    assert not [name for name in names if os.environ.get(name)], "these would change the answer"
    path = str(Path(sys.executable).parent)
    code, output = run("train_with_grpo_ask.sh", path, PYTHONPATH=str(ROOT))
    assert code == 0, "no finding, and no confirmed known issue without --rocm"
    shown = (TUTORIAL / "train_with_grpo_output.txt").read_text().partition("output]\n")[2].partition("# [end")[0]
    assert settled(output) == settled(shown)
    assert "Qwen2.5-0.5B-Instruct" in output and "9 sizes up to 256" in " ".join(output.split())
    assert "\nfindings" not in output
