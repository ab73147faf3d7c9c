"""The memory of the rollout engine of a job, weighed beside what else is resolved."""

from __future__ import annotations

from typing import Any

from packaging.version import Version

from verl_rocm.memory.calibration import overhead
from verl_rocm.memory.rollout import GIB, Engine, Lengths, RolloutMemory, Weighed, Weights

from . import weigh
from .adopt import engine_version
from .wire import Identity

# Releases before it capture their graphs on ROCm out of what is left (gpu_worker.py, ``determine_available_memory``).
GRAPHS_COUNT = Version("0.30.0")


def lengths(config: Any) -> Lengths:
    """Tokens of a sequence, from verl's rollout config."""
    rollout = config.actor_rollout_ref.rollout
    prompt, response = int(rollout.prompt_length), int(rollout.response_length)
    return Lengths(longest=max(prompt + response, 1), half_response=max(prompt + response // 2, 1))


def captured(config: Any) -> int:
    """How many graphs vLLM captures: full ones of decode batches, piecewise ones of the rest."""
    mode = config.compilation_config.cudagraph_mode.name
    sizes = config.compilation_config.cudagraph_capture_sizes or []
    decode = [size for size in sizes if size <= config.scheduler_config.max_num_seqs]
    counts = {"PIECEWISE": len(sizes), "FULL": len(sizes), "FULL_DECODE_ONLY": len(decode)}
    return counts.get(mode, len(sizes) + len(decode) if mode == "FULL_AND_PIECEWISE" else 0)


def sizes(config: Any) -> Engine:
    """What the estimate of the overhead depends on."""
    import vllm.envs

    counted = Version(engine_version() or "0") >= GRAPHS_COUNT and vllm.envs.VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS
    return Engine(
        vocabulary=config.model_config.get_vocab_size(),
        max_num_seqs=config.scheduler_config.max_num_seqs,
        tensor_parallel=config.parallel_config.tensor_parallel_size,
        graphs=captured(config) if counted else 0,
    )


class Weighing:
    """An engine being weighed on a GPU."""

    def __init__(self, vllm_config: Any, config: Any, gpu: Identity) -> None:
        self.total = gpu.memory_gib * GIB
        self.utilization = float(vllm_config.cache_config.gpu_memory_utilization)
        self.share = int(self.total * self.utilization)
        self.explicit = vllm_config.cache_config.kv_cache_memory_bytes
        self.overhead = overhead(sizes(vllm_config))
        self._running = weigh.start(vllm_config, lengths(config), self._budgets)

    def _budgets(self, weights: Weights) -> list[int]:
        if self.explicit:  # vLLM then reserves it, whatever the share is
            return [self.explicit] * 3
        left, taken = self.share - weights.total, self.overhead.total
        return [max(left - less, 0) for less in (taken.high, taken.middle, taken.low)]

    def finish(self) -> RolloutMemory:
        """What came of it."""
        outcome = weigh.finish(self._running)
        if not isinstance(outcome, Weighed):
            return outcome
        known = {"share": self.share, "total": self.total, "utilization": self.utilization, "overhead": self.overhead}
        return outcome.model_copy(update=known)
