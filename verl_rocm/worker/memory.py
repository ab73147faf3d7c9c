"""The memory of the rollout engine of a job, weighed beside what else is resolved."""

from __future__ import annotations

from typing import Any

from verl_rocm.memory.rollout import GIB, Lengths, RolloutMemory, Weights

from . import fork, weigh
from .wire import Identity


def lengths(config: Any) -> Lengths:
    """Tokens of a sequence, from verl's rollout config."""
    rollout = config.actor_rollout_ref.rollout
    prompt, response = int(rollout.prompt_length), int(rollout.response_length)
    return Lengths(longest=max(prompt + response, 1), half_response=max(prompt + response // 2, 1))


def start(vllm_config: Any, config: Any, gpu: Identity) -> fork.Fork:
    """Begin to weigh the engine that vLLM resolved, on a GPU of that size."""
    total = gpu.memory_gib * GIB
    share = float(vllm_config.cache_config.gpu_memory_utilization)

    def budgets(weights: Weights) -> list[int]:
        return [max(int(total * share) - weights.total, 0)]

    return weigh.start(vllm_config, lengths(config), budgets)


def finish(running: fork.Fork) -> RolloutMemory:
    """What came of it."""
    return weigh.finish(running)
