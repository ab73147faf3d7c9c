"""A result as the child process writes it, with whatever a test changes."""

from __future__ import annotations

import copy
from typing import Any

R = "actor_rollout_ref.rollout"
GPU = {
    "name": "MI300X",
    "arch": "gfx942",
    "memory_gib": 192,
    "pci": "0x74a1",
    "compute_units": 304,
    "fp8": "e4m3fnuz",
    "count": 8,
}


def row(argument: str, verl: Any, vllm: Any, sent: str | None = None, override: str | None = None) -> dict[str, Any]:
    """One row of the journey."""
    made = {"argument": argument, "key": f"{R}.{argument}", "override": override, "known": True}
    return made | {"verl": verl, "sent": sent, "vllm": vllm}


SAMPLE: dict[str, Any] = {
    "gpu": GPU,
    "rocm": "7.2.1",
    "model": {"asked": "Qwen/Qwen2.5-7B-Instruct", "source": "bundled", "architecture": "Qwen2ForCausalLM"},
    "sizes": {"gpus_per_node": 8, "nodes": 1, "gpus_of_one_engine": 2, "replicas": 4, "nodes_of_one_engine": 1},
    "journey": [
        row("enforce_eager", False, False, override="False"),
        row("max_num_seqs", 256, 256, "--max_num_seqs 256"),
    ],
    "graphs": {
        "mode": "FULL_AND_PIECEWISE",
        "sizes": [1, 2, 4, 256],
        "max": 256,
        "compilation": "VLLM_COMPILE",
        "asked": {"cudagraph_mode": "FULL_AND_PIECEWISE"},
    },
    "runner": {"executor": "MultiprocExecutor", "worker": "vllm.v1.worker.gpu_worker.Worker", "model_runner": "V2"},
    "sleep": {"mode": "hybrid", "free_cache_engine": True, "pool": True, "level": 2},
    "environment": {},
    "settings": {},
    "said": [],
    "resolved": {
        "max_num_seqs": 256,
        "max_num_batched_tokens": 8192,
        "enforce_eager": False,
        "tensor_parallel_size": 2,
    },
    "attention": [
        {"aiter": False, "VLLM_ROCM_USE_AITER": None, "backend": "ROCM_ATTN", "block_size": 16, "graphs": "ALWAYS"}
    ],
}


def result(**changes: Any) -> dict[str, Any]:
    """The sample with ``changes``; dictionaries are merged one level deep."""
    made = copy.deepcopy(SAMPLE)
    for name, value in changes.items():
        made[name] = made[name] | value if isinstance(made.get(name), dict) and isinstance(value, dict) else value
    return made
