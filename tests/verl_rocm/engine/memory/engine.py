"""The real CPU engine on a tiny model, and what was weighed for the same configuration and budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verl_rocm.memory.rollout import Lengths, Unweighed, Weighed
from verl_rocm.worker import weigh

LENGTHS = Lengths(longest=512, half_response=300)


@dataclass(frozen=True)
class Started:
    """What an engine reports of itself: bytes that each rank loaded, blocks and tokens of its KV cache."""

    weights: tuple[int, ...]
    blocks: int
    tokens: int


def arguments(model: Path, budget: int, ranks: int = 1, **more: object) -> dict[str, object]:
    """Arguments of the engine: eager, so that it starts without a pass over the model."""
    return {
        "model": str(model),
        "skip_tokenizer_init": not (model / "tokenizer.json").is_file(),
        "dtype": "bfloat16",
        "enforce_eager": True,
        "max_model_len": 512,
        "max_num_seqs": 8,
        "kv_cache_memory_bytes": budget,
        "tensor_parallel_size": ranks,
        **more,
    }


def weighed(options: Mapping[str, Any], *budgets: int) -> Weighed | Unweighed:
    """The configuration that vLLM resolves for this machine, weighed for these budgets."""
    from vllm.engine.arg_utils import EngineArgs

    config = EngineArgs(**options).create_engine_config()
    return weigh.finish(weigh.start(config, LENGTHS, lambda _: budgets))


def start(options: Mapping[str, Any]) -> Started:
    """Start the engine, read its figures, and end it."""
    from vllm import LLM
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    llm = LLM(**options, worker_extension_cls="tests.verl_rocm.engine.memory.note.Extension")
    cache = llm.llm_engine.vllm_config.cache_config
    started = Started(tuple(llm.collective_rpc("loaded_bytes")), cache.num_gpu_blocks, cache.kv_cache_size_tokens)
    llm.llm_engine.engine_core.shutdown()
    cleanup_dist_env_and_memory()
    return started
