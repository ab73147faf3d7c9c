"""The page on environment variables: what bash hands to verl, and what verl and Ray make of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guide.doctest import processes
from tests.support.stand_ins import stand_ins

FOLDER = Path(__file__).parents[3] / "snippets" / "how_to"
NAME = "ray_kwargs.ray_init.runtime_env.env_vars"


def merged(overrides: list[str]) -> dict[str, str]:
    """The variables that verl hands to Ray: its own, and those of the overrides, as ``run_ppo`` merges them."""
    pytest.importorskip("verl")
    import hydra
    from omegaconf import OmegaConf
    from verl.trainer.constants_ppo import get_ppo_ray_runtime_env

    with hydra.initialize_config_module("verl.trainer.config", version_base=None):
        config = hydra.compose("ppo_trainer", overrides=overrides)
    both = OmegaConf.merge(get_ppo_ray_runtime_env(config), config.ray_kwargs.ray_init.get("runtime_env", {}))
    variables: dict[str, str] = OmegaConf.to_container(both)["env_vars"]
    return variables


@pytest.fixture
def overrides(tmp_path: Path) -> list[str]:
    """The overrides that the script hands to verl."""
    environ = {**os.environ, "PATH": stand_ins(tmp_path, python3='printf "%s\\n" "$@"')}
    script = ["bash", str(FOLDER / "pass_an_environment_variable.sh"), "trainer.nnodes=2"]
    words = processes.run(script, timeout=30, env=environ).stdout.splitlines()
    assert words[:2] == ["-m", "verl.trainer.main_ppo"]
    return words[2:]


@pytest.mark.block("how_to/pass_an_environment_variable.sh", "override", evidence="checked")
def test_ray_accepts_the_variables_and_they_win_over_verls(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray._private.runtime_env.validation import parse_and_validate_env_vars

    for name in ("VLLM_LOGGING_LEVEL", "HSA_NO_SCRATCH_RECLAIM"):
        monkeypatch.delenv(name, raising=False)
    assert overrides[-1] == "trainer.nnodes=2"
    variables = merged(overrides)
    assert parse_and_validate_env_vars(variables) == variables
    assert (variables["VLLM_ROCM_USE_AITER"], variables["VLLM_LOGGING_LEVEL"]) == ("1", "INFO")
    assert variables["HSA_NO_SCRATCH_RECLAIM"] == "1", "verl's own stay"


@pytest.mark.block("how_to/pass_an_environment_variable.sh", "override", evidence="checked")
@pytest.mark.parametrize("value", ["1", "true", "0.5"])
def test_ray_refuses_what_hydra_reads_as_a_number_or_a_boolean(value: str) -> None:
    from ray._private.runtime_env.validation import parse_and_validate_env_vars

    with pytest.raises(TypeError, match="must be of type"):
        parse_and_validate_env_vars(merged([f"+{NAME}.VLLM_ROCM_USE_AITER={value}"]))


@pytest.mark.block("how_to/pass_an_environment_variable.sh", "override", evidence="checked")
def test_a_name_of_verls_list_that_the_shell_has_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCCL_DEBUG", "INFO")
    assert "NCCL_DEBUG" not in merged([])
    monkeypatch.delenv("NCCL_DEBUG")
    assert merged([])["NCCL_DEBUG"] == "WARN"


@pytest.mark.block("how_to/pass_an_environment_variable_node.sh", "node", evidence="checked")
def test_ray_starts_with_the_variable(tmp_path: Path) -> None:
    environ = {**os.environ, "PATH": stand_ins(tmp_path, ray='echo "$HSA_ENABLE_IPC_MODE_LEGACY" "$@"')}
    script = ["bash", str(FOLDER / "pass_an_environment_variable_node.sh"), "--address=head:6379"]
    assert processes.run(script, timeout=30, env=environ).stdout == "1 start --address=head:6379\n"
