"""The real scheduler of the installed vLLM without a model: every scheduled request that has all its tokens gets one.

Driven as vLLM's own tests drive it (``tests/v1/core/test_scheduler.py`` of vLLM 0.30.0).
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import torch
from vllm.config import VllmConfig
from vllm.engine.arg_utils import EngineArgs
from vllm.sampling_params import SamplingParams
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request as EngineRequest
from vllm.v1.structured_output import StructuredOutputManager

from guide.doctest.tiny_model import make_tiny_qwen2
from verl_rocm.schedule.model import Limits, Request

Step = tuple[tuple[tuple[int, int], ...], tuple[int, ...]]  # (request, tokens) in order, and who was preempted


@cache
def _config() -> VllmConfig:
    folder = tempfile.mkdtemp(prefix="vllm-scheduler-")
    model = make_tiny_qwen2(Path(folder))
    return EngineArgs(model=str(model), enforce_eager=True, max_model_len=256).create_engine_config()


def _scheduler(limits: Limits) -> Scheduler:
    config = dataclasses.replace(_config())
    scheduler = dataclasses.replace(
        config.scheduler_config,
        max_num_seqs=limits.max_num_seqs,
        max_num_batched_tokens=limits.max_num_batched_tokens,
        max_model_len=limits.max_model_len,
        enable_chunked_prefill=limits.enable_chunked_prefill,
        long_prefill_token_threshold=limits.long_prefill_token_threshold,
        scheduler_reserve_full_isl=limits.scheduler_reserve_full_isl,
        watermark=limits.watermark,
        async_scheduling=False,
        is_encoder_decoder=False,
    )
    config.scheduler_config = scheduler
    config.model_config.max_model_len = limits.max_model_len
    config.cache_config.block_size = limits.block_size
    config.cache_config.num_gpu_blocks = limits.kv_blocks
    config.cache_config.enable_prefix_caching = limits.enable_prefix_caching
    spec = FullAttentionSpec(block_size=limits.block_size, num_kv_heads=1, head_size=1, dtype=torch.float32)
    cache_config = KVCacheConfig(limits.kv_blocks, [], [KVCacheGroupSpec(["layer"], spec)])
    return Scheduler(config, cache_config, StructuredOutputManager(config), block_size=limits.block_size)


def steps(requests: Sequence[Request], limits: Limits) -> Iterator[Step]:
    """Each step of vLLM's scheduler on these requests, all added at once."""
    init_none_hash(sha256)
    hasher = get_request_block_hasher(limits.block_size, sha256)
    scheduler = _scheduler(limits)
    for number, request in enumerate(requests):
        prompt = [request.prompt * 100_000 + position for position in range(request.prompt_tokens)]
        params = SamplingParams(max_tokens=request.response_tokens, ignore_eos=True)
        params.update_from_generation_config({}, eos_token_id=None)
        scheduler.add_request(EngineRequest(str(number), prompt, params, None, block_hasher=hasher))
    generated = dict.fromkeys(map(str, range(len(requests))), 0)
    while scheduler.has_unfinished_requests():
        before = {request.request_id: request.num_preemptions for request in scheduler.requests.values()}
        order = list(scheduler.running)
        output = scheduler.schedule()
        assert output.total_num_scheduled_tokens > 0, "vLLM schedules nothing and would wait for ever"
        after = scheduler.requests
        lost = tuple(int(r.request_id) for r in reversed(order) if r.num_preemptions > before[r.request_id])
        yield tuple((int(name), count) for name, count in output.num_scheduled_tokens.items()), lost
        names = list(output.num_scheduled_tokens)
        tokens = []
        for name in names:
            request = after[name]
            complete = request.num_computed_tokens >= request.num_tokens
            tokens.append([-(int(name) + 1) * 1_000_000 - generated[name]] if complete else [])
            generated[name] += complete
        scheduler.update_from_output(output, ModelRunnerOutput(names, {n: i for i, n in enumerate(names)}, tokens))
