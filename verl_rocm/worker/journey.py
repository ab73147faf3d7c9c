"""The way of each setting: the user's override, verl's value, vLLM's command line, vLLM's own value."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from . import resolve
from .serve import Served
from .wire import ROLLOUT, Trace

KWARGS = f"{ROLLOUT}.engine_kwargs.vllm"
# vLLM argument -> verl key that verl builds it from (vllm_async_server.py, verl 0.9.1); R stands for the rollout.
KEYS = {
    "tensor_parallel_size": f"{ROLLOUT}.tensor_model_parallel_size",
    "trust_remote_code": "actor_rollout_ref.model.trust_remote_code",
    "cudagraph_capture_sizes": f"{ROLLOUT}.cudagraph_capture_sizes",
    "enable_expert_parallel": f"{ROLLOUT}.expert_parallel_size",
    "max_lora_rank": "actor_rollout_ref.model.lora_rank",
}
SAME = (
    "dtype",
    "load_format",
    "max_model_len",
    "max_num_seqs",
    "enable_chunked_prefill",
    "max_num_batched_tokens",
    "enable_prefix_caching",
    "enable_sleep_mode",
    "logprobs_mode",
    "enforce_eager",
    "gpu_memory_utilization",
    "disable_log_stats",
    "seed",
    "quantization",
    "scheduling_policy",
    "data_parallel_size",
)
HIDDEN = {
    "override_generation_config",
    "hf_overrides",
    "compilation_config",
    "worker_extension_cls",
    "skip_tokenizer_init",
    "disable_log_stats",
}


def _key(argument: str, engine_kwargs: Collection[str]) -> str:
    if argument in engine_kwargs:
        return f"{KWARGS}.{argument}"
    return KEYS.get(argument) or (f"{ROLLOUT}.{argument}" if argument in SAME else "")


def _flags(command: Sequence[str]) -> dict[str, str]:
    """What stands on vLLM's command line for each argument: ``--flag``, ``--no-flag``, or its text."""
    flags, index = {}, 0
    while index < len(command):
        word = command[index]
        index += 1
        if not word.startswith("--"):
            continue
        values = []
        while index < len(command) and not command[index].startswith("--"):
            values.append(command[index])
            index += 1
        name = word[2:].removeprefix("no-") if not values else word[2:]
        flags[name.replace("-", "_")] = " ".join([word, *values])
    return flags


def journey(served: Served, config: Any, overrides: Mapping[str, str]) -> tuple[Trace, ...]:
    """A row for each argument, in verl's order: override, verl's value, what is sent, what vLLM makes of it."""
    from omegaconf import OmegaConf

    kwargs = OmegaConf.to_container(config.actor_rollout_ref.rollout.engine_kwargs, resolve=True).get("vllm") or {}
    sent, resolved = _flags(served.handed.command), resolve.resolved(served.vllm_config)
    rows = []
    for argument, value in served.handed.arguments.items():
        if argument not in HIDDEN:
            key = _key(argument, kwargs)
            rows.append(
                Trace(
                    argument=argument,
                    key=key,
                    override=overrides.get(key),
                    verl=resolve.plain(value),
                    sent=sent.get(argument),
                    vllm=resolved.get(argument),
                    known=argument in resolved,
                )
            )
    return (*rows, *_of_graphs(served, config, overrides))


def _of_graphs(served: Served, config: Any, overrides: Mapping[str, str]) -> Iterator[Trace]:
    """The two settings of graphs, which verl sends inside ``compilation_config``."""
    requested = requested_graphs(served)
    graphs = resolve.graphs(served.vllm_config, requested)
    sizes = config.actor_rollout_ref.rollout.get("cudagraph_capture_sizes")
    mode = f"{KWARGS}.compilation_config.cudagraph_mode"
    for argument, key, value, end in (
        ("cudagraph_capture_sizes", f"{ROLLOUT}.cudagraph_capture_sizes", list(sizes) if sizes else None, graphs.sizes),
        ("cudagraph_mode", mode, requested.get("cudagraph_mode"), graphs.mode),
    ):
        text = f'{{"{argument}": {json.dumps(requested[argument])}}}' if argument in requested else None
        yield Trace(
            argument=argument,
            key=key,
            override=overrides.get(key),
            verl=resolve.plain(value),
            sent=f"--compilation_config {text}" if text else None,
            vllm=resolve.plain(end),
            known=True,
        )


def requested_graphs(served: Served) -> dict[str, JsonValue]:
    """What verl wrote into vLLM's ``compilation_config``."""
    requested: dict[str, JsonValue] = json.loads(served.handed.arguments["compilation_config"])
    return requested
