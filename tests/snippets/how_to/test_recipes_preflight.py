"""The preflight of the recipes: each problem is one line, before Ray starts; a sound command has none."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guide.doctest import processes

pytest.importorskip("verl")
import pandas

from snippets.how_to.recipes import preflight
from snippets.tutorial import arithmetic_data

RECIPES = Path(__file__).parents[3] / "snippets" / "how_to" / "recipes"
MAIN = ["python3", "-m", "verl.trainer.main_ppo"]
FULLY_ASYNC = "verl.experimental.fully_async_policy.fully_async_main"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Overrides of a run that has no problem here."""
    folder = tmp_path_factory.mktemp("sound")
    arithmetic_data.write(folder, rows=4, largest=9)
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    return {
        "data.train_files": str(folder / "train.parquet"),
        "data.val_files": str(folder / "val.parquet"),
        "actor_rollout_ref.model.path": str(model),
        "actor_rollout_ref.rollout.tensor_model_parallel_size": "1",
        "trainer.n_gpus_per_node": "1",
        "+ray_kwargs.ray_init.num_gpus": "1",
        "+ray_kwargs.ray_init.object_store_memory": "1000000",
    }


@pytest.fixture(autouse=True)
def no_ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a Ray; the folder in which `ray start` would say where it is."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "tmp"))
    folder = tmp_path / "tmp" / "ray"
    folder.mkdir(parents=True)
    return folder


def found(overrides: dict[str, str], *more: str) -> list[str]:
    return preflight.problems([*MAIN, *(f"{key}={value}" for key, value in overrides.items()), *more])


def only(lines: list[str]) -> str:
    """The one line of the one problem."""
    assert len(lines) == 1, lines
    assert "\n" not in lines[0] and len(lines[0]) < 400, lines[0]
    return lines[0]


@pytest.mark.block("how_to/recipes/preflight.py", "imports", "overrides", "model", "data", "gpus", "ray", "shm")
def test_a_sound_command_has_no_problem(sound: dict[str, str]) -> None:
    assert found(sound) == []
    assert preflight.problems(["sleep", "1"]) == [], "nothing of verl is started"


@pytest.mark.block("how_to/recipes/preflight.py", "overrides")
@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("data.train_batch_sice=8", r"data.train_batch_sice': did you mean data.train_batch_size\?"),
        ("actor_rollout_ref.rollout.engine_kwargs.vllm.disable_custom_all_reduce=True", "or write \\+\\+"),
        ("trainer.total_epochs=1=2", "override: .*'='"),
        ("+data.train_batch_size=8", "Could not append"),
    ],
)
def test_an_unknown_override(sound: dict[str, str], override: str, says: str) -> None:
    import re

    assert re.search(says, only(found(sound, override)))


@pytest.mark.block("how_to/recipes/preflight.py", "overrides")
def test_a_trainer_that_verl_lacks() -> None:
    assert "verl.trainer.main_dpo is no trainer" in only(preflight.problems(["python3", "-m", "verl.trainer.main_dpo"]))


@pytest.mark.block("how_to/recipes/preflight.py", "model")
def test_models_that_cannot_be_trained(sound: dict[str, str], tmp_path: Path) -> None:
    key = "actor_rollout_ref.model.path"
    model = Path(sound[key])
    assert "is not there" in only(found(sound | {key: str(tmp_path / "none")}))
    assert "no config.json" in only(found(sound | {key: str(tmp_path)}))
    plain = tmp_path / "plain"
    shutil.copytree(model, plain)
    (plain / "tokenizer_config.json").write_text("{}")
    assert "has no chat template" in only(found(sound | {key: str(plain)}))
    template = "actor_rollout_ref.model.custom_chat_template"
    assert found(sound | {key: str(plain), template: "'{{messages}}'"}) == []
    (plain / "chat_template.jinja").write_text("{{ messages }}")
    assert found(sound | {key: str(plain)}) == []
    assert found(sound | {key: "Qwen/Qwen2.5-7B-Instruct"}) == [], "a name on the hub is left to verl"


@pytest.mark.block("how_to/recipes/preflight.py", "data")
def test_data_that_verl_cannot_read(sound: dict[str, str], tmp_path: Path) -> None:
    table = pandas.read_parquet(sound["data.train_files"])
    for column in ("prompt", "data_source", "reward_model"):
        file = tmp_path / f"no_{column}.parquet"
        table.drop(columns=column).to_parquet(file)
        assert f"no column '{column}'" in only(found(sound | {"data.train_files": str(file)}))
    assert "correct data.val_files" in only(found(sound | {"data.val_files": str(tmp_path / "none.parquet")}))
    both = f"[{sound['data.train_files']},{tmp_path / 'no_prompt.parquet'}]"
    assert "no_prompt" in only(found(sound | {"data.train_files": both}))
    assert found(sound | {"data.train_files": str(tmp_path / "no_prompt.parquet"), "data.prompt_key": "ability"}) == []


@pytest.mark.block("how_to/recipes/preflight.py", "gpus")
def test_too_few_gpus(sound: dict[str, str]) -> None:
    assert "needs 2 on this node, 1 are visible" in only(found(sound | {"trainer.n_gpus_per_node": "2"}))
    size = "actor_rollout_ref.rollout.tensor_model_parallel_size"
    assert "engines of 2" in only(found(sound | {size: "2"}))
    words = [f"{key}={value}" for key, value in sound.items()]
    asked = ["python3", "-m", FULLY_ASYNC, *words, "rollout.n_gpus_per_node=1"]
    assert "needs 2 on this node" in only(preflight.problems(asked))
    assert preflight.problems([*asked, "++ray_kwargs.ray_init.num_gpus=2"]) == []


@pytest.mark.block("how_to/recipes/preflight.py", "ray")
def test_a_ray_that_is_dead_or_in_the_way(sound: dict[str, str], no_ray: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    (no_ray / "ray_current_cluster").write_text(address)
    assert f"would join the cluster that already runs at {address}" in only(found(sound))
    assert found(sound | {"trainer.nnodes": "2"}) == [], "a run on several nodes is meant to join"
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert found(sound) == [], "said explicitly"
    listener.close()
    assert f"no cluster answers at {address}, which RAY_ADDRESS names" in only(found(sound))
    monkeypatch.delenv("RAY_ADDRESS")
    assert "ray_current_cluster names" in only(found(sound))


@pytest.mark.block("how_to/recipes/preflight.py", "shm")
def test_full_shared_memory(sound: dict[str, str]) -> None:
    lines = found(sound | {"+ray_kwargs.ray_init.object_store_memory": str(10**16)})
    assert "/dev/shm has" in only(lines) and "--shm-size" in lines[0]


@pytest.mark.block("how_to/recipes/preflight.py", "overrides")
@pytest.mark.block("how_to/recipes/guard.py", "watch")
@pytest.mark.parametrize("program", ["preflight.py", "guard.py"])
def test_the_programs_say_it_in_seconds_and_start_nothing(program: str, tmp_path: Path) -> None:
    started = time.monotonic()
    command = [sys.executable, str(RECIPES / program), *MAIN, "data.train_batch_sice=8"]
    done = processes.run(command, timeout=60, cwd=tmp_path, env=os.environ | {"RAY_TMPDIR": str(tmp_path)})
    assert done.returncode == 2
    assert done.stdout.count("\n") == 1 and done.stdout.startswith("preflight: override: Could not override")
    assert time.monotonic() - started < 30
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"], "no Ray, no Hydra folder"
    assert subprocess.run([*command[:2], "true"], env=os.environ | {"RAY_TMPDIR": str(tmp_path)}).returncode == 0
