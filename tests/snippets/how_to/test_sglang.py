"""The SGLang overrides: what verl makes of them on top of the recipe, and whether SGLang has their names."""

import ast
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

from guide.doctest import processes
from tests.snippets.how_to.test_verl_settings import PYTHON3, compose

ROOT = Path(__file__).parents[3]
TAKES = json.loads((ROOT / "tests" / "support" / "sglang_arguments.json").read_text())
PINNED, IN_IMAGE = "0.5.12", "0.5.15"
ENGINE = "actor_rollout_ref.rollout.engine_kwargs.sglang"


def expand(folder: Path, *more: str, **variables: str) -> list[str]:
    """The overrides that reach verl's trainer: the script and the recipe run, a stand-in for python3 prints."""
    stand_in = folder / "python3"
    stand_in.write_text(PYTHON3)
    stand_in.chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "OUT": str(folder)} | variables
    script = str(ROOT / "snippets" / "how_to" / "sglang.sh")
    done = processes.run(["bash", script, *more], timeout=30, env=environment, cwd=folder)
    assert done.returncode == 0, done.stdout
    words = done.stdout.splitlines()
    return words[words.index("verl.trainer.main_ppo") + 1 :]


def rollout_of(overrides: list[str]) -> Any:
    """The rollout section as verl's own dataclass, after verl's own validation of the whole configuration."""
    config = compose(overrides)
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    validate_config(config, need_reference_policy(config), need_critic(config))
    return omega_conf_to_dataclass(config.actor_rollout_ref.rollout)


def server_source() -> str:
    spec = importlib.util.find_spec("verl")
    if spec is None or spec.origin is None:
        pytest.skip("needs verl")
    return (Path(spec.origin).parent / "workers/rollout/sglang_rollout/async_sglang_server.py").read_text()


def handed_over(source: str) -> dict[str, str]:
    """Arguments that verl's server gives to SGLang's ``ServerArgs``, with the expression behind each."""
    arguments: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Assign(targets=[ast.Name(id="args")], value=ast.Dict(keys=keys, values=values)):
                pairs = zip(keys, values, strict=True)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="args"), attr="update"), args=[ast.Dict() as table]):
                pairs = zip(table.keys, table.values, strict=True)
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id="args"), slice=ast.Constant() as key)]):
                pairs = zip([key], [node.value], strict=True)
            case _:
                continue
        arguments |= {str(k.value): ast.unparse(v) for k, v in pairs if isinstance(k, ast.Constant)}
    return arguments


@pytest.mark.block("how_to/sglang.sh", "variables", "overrides", "launch", evidence="checked")
def test_verl_accepts_the_overrides_on_top_of_the_recipe(tmp_path: Path) -> None:
    overrides = expand(tmp_path, "trainer.total_epochs=3", MODEL="m", GPUS="4")
    config = compose(overrides)
    assert (config.actor_rollout_ref.model.path, config.trainer.n_gpus_per_node) == ("m", 4), "the recipe's variables"
    assert config.trainer.total_epochs == 3, "what follows on the command line comes last"
    assert config.ray_kwargs.ray_init.runtime_env.env_vars.SGLANG_USE_AITER == "0", "Ray takes text only"
    rollout = rollout_of(overrides)
    assert (rollout.name, rollout.n, rollout.free_cache_engine) == ("sglang", 8, True)
    arguments = dict(rollout.engine_kwargs["sglang"])
    assert arguments == {
        "attention_backend": "triton",
        "disable_custom_all_reduce": True,
        "cuda_graph_max_bs_decode": 64,
        "log_level": "info",
    }
    # Hydra lets any name pass under engine_kwargs, so these are looked up in the release itself.
    assert set(arguments) <= set(TAKES[IN_IMAGE])


@pytest.mark.block("how_to/sglang.sh", "variables", "overrides", evidence="checked")
def test_the_name_of_the_graph_limit_belongs_to_a_release(tmp_path: Path) -> None:
    pinned = dict(rollout_of(expand(tmp_path, GRAPHS="cuda_graph_max_bs=64")).engine_kwargs["sglang"])
    assert set(pinned) <= set(TAKES[PINNED])
    assert set(pinned) - set(TAKES[IN_IMAGE]) == {"cuda_graph_max_bs"}, "the default of the script is the image's name"
    assert "cuda_graph_max_bs_decode" not in TAKES[PINNED]


@pytest.mark.block("how_to/sglang.sh", "overrides", evidence="checked")
def test_what_becomes_of_the_settings_for_vllm() -> None:
    """The page's table."""
    from_verl = handed_over(server_source())
    assert from_verl["mem_fraction_static"] == "self.config.gpu_memory_utilization"
    assert from_verl["disable_cuda_graph"] == "self.config.enforce_eager"
    assert from_verl["max_running_requests"] == "self.config.get('max_num_seqs', None)"
    assert from_verl["tp_size"] == "infer_tp"
    assert (from_verl["enable_memory_saver"], from_verl["log_level"]) == ("True", "'error'")
    unused = ("cudagraph_capture_sizes", "max_num_batched_tokens", "enable_prefix_caching", "enable_chunked_prefill")
    for key in (*unused, "seed", "enable_sleep_mode"):
        assert key not in server_source(), f"{key} reaches SGLang now: change the table of the page"


@pytest.mark.block("how_to/sglang.sh", "overrides", evidence="checked")
def test_sglang_has_every_name_that_verl_gives_but_one() -> None:
    names = set(handed_over(server_source()))
    assert len(names) > 30, "the reader of verl's source finds too little"
    for release in (PINNED, IN_IMAGE):
        assert names - set(TAKES[release]) == {"disaggregation_decode_tp"}, release


def test_the_arguments_are_read_from_all_three_ways_to_give_them() -> None:
    source = "args = {'a': 1, **more}\nargs.update({'b': self.x})\nargs['c'] = 2\nother['d'] = 3\nargs[key] = 4\n"
    assert handed_over(source) == {"a": "1", "b": "self.x", "c": "2"}


@pytest.mark.block("how_to/sglang.sh", "overrides", evidence="checked")
def test_what_hydra_and_verl_refuse(tmp_path: Path) -> None:
    pytest.importorskip("verl")
    from hydra.errors import ConfigCompositionException, InstantiationException

    with pytest.raises(ConfigCompositionException, match="Could not override"):
        compose([f"{ENGINE}.attention_backend=triton"])
    with pytest.raises(InstantiationException, match=r"sglang.* not implemented pipeline_model_parallel_size > 1"):
        rollout_of(expand(tmp_path, "actor_rollout_ref.rollout.pipeline_model_parallel_size=2"))
