"""Weights and KV cache of one rank of an engine, by vLLM's own code, whatever platform resolved its configuration."""

from __future__ import annotations

import copy
import os
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import TypeAdapter

from verl_rocm.memory.rollout import Group, Holding, Lengths, Unweighed, Weighed, Weights

from . import fork, meta
from .problem import first_line

LIMIT = 60  # seconds; the largest bundled model takes one
AMPLE = 2**60  # bytes, so many that the division by a block's size leaves that size exactly
OUTCOME: TypeAdapter[Weighed | Unweighed] = TypeAdapter(Weighed | Unweighed)


def weights(model: Any) -> Weights:
    """Bytes of the parameters and buffers of ``model``, each tensor once however many layers share it."""
    by_dtype: dict[str, int] = {}
    for tensor in {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}.values():
        name = str(tensor.dtype).removeprefix("torch.")
        by_dtype[name] = by_dtype.get(name, 0) + tensor.numel() * tensor.element_size()
    return Weights(total=sum(by_dtype.values()), by_dtype=dict(sorted(by_dtype.items())))


def specifications(config: Any) -> dict[str, Any]:
    """The KV cache specification of each layer that has one, as vLLM's model runner collects them.

    Source: ``get_kv_cache_spec`` in vllm/v1/worker/gpu_model_runner.py, vLLM 0.30.0.
    """
    from vllm.model_executor.layers.attention_layer_base import AttentionLayerBase
    from vllm.v1.core.single_type_kv_cache_manager import register_all_kvcache_specs
    from vllm.v1.kv_cache_interface import AttentionSpec

    register_all_kvcache_specs(config)
    specs = {}
    for name, layer in config.compilation_config.static_forward_context.items():
        if not isinstance(layer, AttentionLayerBase) or getattr(layer, "kv_sharing_target_layer_name", None):
            continue
        if spec := layer.get_kv_cache_spec(config):
            backend = layer.get_attn_backend()
            customize = getattr(backend, "customize_spec", None)
            specs[name] = customize(spec) if customize and isinstance(spec, AttentionSpec) else spec
    return specs


def settle_block_size(config: Any) -> None:
    """Let the platform fit the block to the backend, and a hybrid model's block to its state, as executors do.

    Source: ``load_model`` in vllm/v1/executor/uniproc_executor.py, vLLM 0.30.0.
    """
    from vllm.platforms import current_platform

    update = getattr(current_platform, "update_block_size_for_backend", None)
    if update:
        update(config)


def settle_layout(config: Any, specs: dict[str, Any]) -> None:
    """Let vLLM choose the layout of the cache, as its engine does before it divides the memory.

    Source: ``_initialize_kv_caches`` in vllm/v1/engine/core.py, vLLM 0.30.0; earlier releases divide without one.
    """
    from vllm.v1.attention.backends import utils

    if not hasattr(utils, "resolve_kv_cache_layout"):
        return
    from vllm.distributed.kv_transfer.kv_connector.utils import get_current_attn_backends

    supported = [layout.name for layout in utils.get_supported_kv_cache_layouts(get_current_attn_backends(config))]
    layout = utils.resolve_kv_cache_layout(config, [supported], list(specs.values()))
    config.cache_config.kv_cache_layout = layout.name


def at_length(config: Any, length: int) -> Any:
    """The configuration of an engine for sequences of ``length`` tokens."""
    changed = copy.copy(config)
    changed.model_config = copy.copy(config.model_config)
    changed.model_config.max_model_len = changed.model_config.original_max_model_len = length
    return changed


def divide(config: Any, specs: dict[str, Any], budget: int) -> Any:
    """vLLM's own division of ``budget`` bytes.

    Raises:
        ValueError: not even one sequence of the engine's maximum length fits.
    """
    from vllm.v1.core.kv_cache_utils import get_kv_cache_configs

    (cache,) = get_kv_cache_configs(config, [dict(specs)], [budget])
    return cache


def blocks_of_one(config: Any, cache: Any) -> int:
    """Blocks that one sequence of the engine's maximum length takes of the pool.

    Source: ``get_max_concurrency_for_kv_cache_config`` in vllm/v1/core/kv_cache_utils.py, vLLM 0.30.0.
    """
    from vllm.v1.core.kv_cache_utils import get_max_concurrency_for_kv_cache_config

    return round(cache.num_blocks / get_max_concurrency_for_kv_cache_config(config, cache))


def group(of_vllm: Any) -> Group:
    """A group of layers, in vLLM's words."""
    spec = of_vllm.kv_cache_spec
    return Group(
        kind=type(spec).__name__.removesuffix("Spec"),
        layers=len(of_vllm.layer_names),
        block_size=spec.block_size,
        page=spec.page_size_bytes,
    )


def held(config: Any, specs: dict[str, Any], lengths: Lengths, budget: int) -> Holding:
    """What a KV cache of ``budget`` bytes holds; nothing where vLLM would not start with it."""
    try:
        cache = divide(config, specs, budget)
    except ValueError:
        return Holding(budget=budget, blocks=0, tokens=0, longest=0, half_response=0)
    from vllm.v1.core.kv_cache_utils import get_max_concurrency_for_kv_cache_config

    def sequences(length: int) -> float:
        return float(get_max_concurrency_for_kv_cache_config(at_length(config, length), cache))

    engine = config.model_config.max_model_len
    return Holding(
        budget=budget,
        blocks=cache.num_blocks,
        tokens=int(sequences(engine) * engine),
        longest=sequences(lengths.longest),
        half_response=sequences(lengths.half_response),
    )


def weigh(config: Any, lengths: Lengths, budgets: Callable[[Weights], Sequence[int]]) -> Weighed:
    """Build rank 0 of the engine and divide each of the KV cache ``budgets``, which may depend on its weights.

    Run it in a fork: it changes the configuration and this process.
    """
    started = time.monotonic()
    weight = weights(meta.build(config))
    settle_block_size(config)
    specs = specifications(config)
    settle_layout(config, specs)
    ample = divide(config, specs, AMPLE)
    block = AMPLE // ample.num_blocks
    one = blocks_of_one(config, ample)
    return Weighed(
        lengths=lengths,
        weights=weight,
        groups=tuple(group(each) for each in ample.kv_cache_groups),
        bytes_per_block=block,
        bytes_per_sequence=blocks_of_one(at_length(config, lengths.longest), ample) * block,
        needed=(one + 1) * block,
        holdings=tuple(held(config, specs, lengths, budget) for budget in budgets(weight)),
        seconds=round(time.monotonic() - started, 3),
    )


def start(config: Any, lengths: Lengths, budgets: Callable[[Weights], Sequence[int]]) -> fork.Fork:
    """Begin :func:`weigh` in a fork, so that it goes on beside what else is resolved."""

    def work() -> bytes:
        try:
            return weigh(config, lengths, budgets).model_dump_json().encode()
        except Exception as error:
            if os.environ.get("VERL_ROCM_DEBUG"):
                traceback.print_exc()
            reason = f"{type(error).__name__}: {first_line(error)}"[:300]
            return Unweighed(reason=reason).model_dump_json().encode()

    return fork.start(work, LIMIT)


def finish(running: fork.Fork) -> Weighed | Unweighed:
    """The outcome of :func:`start`."""
    data, ended = running.finish()
    return OUTCOME.validate_json(data) if data else Unweighed(reason=ended)
