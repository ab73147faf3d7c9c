"""What is read from the source of a release."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.release_sources import VERL, VLLM, unpack
from tools.contracts import verl, vllm
from tools.contracts.environment import scan
from verl_rocm.facts.contract import Contract


@pytest.fixture
def of_vllm(tmp_path: Path) -> Contract:
    return vllm.contract(unpack(tmp_path, VLLM))


def test_fields_with_defaults_and_allowed_values(of_vllm: Contract) -> None:
    assert of_vllm["engine_args"] == {
        "model": {"required": True},
        "dtype": {"default": "auto"},
        "seed": {"default": 0},
        "sizes": {"default": []},
        "factor": {"default": -0.5},
    }
    assert of_vllm["compilation_config"] == {
        "mode": {"default": None, "values": ["NONE", "FULL"]},
        "kind": {"default": "FULL", "values": ["NONE", "FULL"]},
        "backend": {"default": "TRITON", "values": ["TRITON"]},
        "speed": {"default": "fast", "values": ["fast"]},
        "sizes": {"default": []},
        "must": {"required": True},
        "late": {"expr": "field(default_factory=lambda: make())"},
    }
    assert of_vllm["sampling_params"] == {"temperature": {"default": 1.0}}
    assert of_vllm["llm"] == {"model": {"required": True}, "seed": {"default": None}, "**kwargs": {}}


def test_signatures_of_sleep_and_wake_up(of_vllm: Contract) -> None:
    assert of_vllm["llm_methods"] == {
        "sleep": {"arguments": {"level": {"default": 1}, "mode": {"default": "abort", "values": ["abort", "wait"]}}},
        "wake_up": {"arguments": {"tags": {"default": None}}, "returns": "bool"},
    }


def test_only_what_source_reads_is_a_variable(of_vllm: Contract) -> None:
    assert of_vllm["env"] == {
        "VLLM_A": {"by": ["envs.py"], "default": "0"},
        "VLLM_B": {"by": ["envs.py"], "default": "NONE", "values": ["FP", "NONE"]},
        "VLLM_NOBODY": {"by": ["envs.py"], "default": None, "unused": True},
        "VLLM_CHUNK": {"by": ["c++", "envs.py"], "default": "256"},
        "VLLM_BY_CPP_CONSTANT": {"by": ["c++"]},
        "VLLM_BY_CONSTANT": {"by": ["python"]},
        "VLLM_IN": {"by": ["python"]},
        "VLLM_POP": {"by": ["python"]},
        "VLLM_TARGET_DEVICE": {"by": ["setup.py"]},
        "PYTORCH_ROCM_ARCH": {"by": ["cmake"]},
        "TORCH_NIGHTLY": {"by": ["cmake"]},
        "VLLM_RUST": {"by": ["rust"]},
    }


def test_a_wheel_calls_nothing_unused(tmp_path: Path) -> None:
    assert "unused" not in scan(unpack(tmp_path, VLLM, whole=False).root, "vllm", whole=False)["VLLM_NOBODY"]


def test_sleep_mode_and_graphs(of_vllm: Contract, tmp_path: Path) -> None:
    assert of_vllm["rocm"] == {
        "sleep_mode": True,
        "sleep_mode_rule": "self._enum in (PlatformEnum.CUDA, PlatformEnum.ROCM)",
        "sleep_allocator_built_if": "_is_cuda() or _is_hip()",
        "archs": ["gfx942", "gfx950"],
        "torch": "2.13.0",
    }
    assert of_vllm["graphs"] == {
        "mode_by_level": {"O0": "NONE", "O2": "FULL"},
        "default_level": "O2",
        "default_mode": "FULL",
        "default_sizes": ["list(range(8, 256, 8))"],
    }
    refused = {"vllm/platforms/interface.py": VLLM["vllm/platforms/interface.py"].replace(", PlatformEnum.ROCM", "")}
    assert vllm.contract(unpack(tmp_path / "old", VLLM | refused))["rocm"]["sleep_mode"] is False


def test_a_class_that_moved_is_an_error_not_an_empty_contract(tmp_path: Path) -> None:
    moved = VLLM | {"vllm/engine/arg_utils.py": "class Arguments: ...\n"}
    with pytest.raises(LookupError, match=r"vllm\.engine\.arg_utils has no class EngineArgs"):
        vllm.contract(unpack(tmp_path, moved))


def test_verl(tmp_path: Path) -> None:
    contract = verl.contract(unpack(tmp_path, VERL))
    rollout = "actor_rollout_ref.rollout"
    assert contract["keys"] == {
        f"{rollout}.max_num_seqs": {"default": 256, "dataclass": 1024},
        f"{rollout}.engine_kwargs.vllm": {"default": {}},
        f"{rollout}.enable_sleep_mode": {"default": True, "add": True},
        "trainer.nnodes": {"default": 1},
    }
    assert contract["megatron_keys"] == {"trainer.nnodes": {"default": 2}, "actor.megatron.tp": {"default": 1}}
    assert contract["passed"] == {
        "max_num_seqs": {"server": "config.max_num_seqs"},
        "seed": {"server": "1 + config.seed"},
        "nnodes": {"server": "2"},
        "dtype": {"server": "config.dtype"},
    }
    assert contract["false_flags"] == {"branch": "if v:\n    cli.append(k)"}
    assert contract["env"] == {"VERL_READ": {"by": ["python"]}}
    assert set(contract["env_set"]) == {"VLLM_USE_V1", "NCCL_DEBUG", "RAY_X"}
    assert contract["requires"] == {"vllm": ['==0.24.0; extra == "vllm"']}
