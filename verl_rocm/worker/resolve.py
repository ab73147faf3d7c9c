"""What vLLM made of its arguments: values of its own configuration."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from .wire import Graphs, Model, Precision, Runner

# vLLM argument -> where its resolved value stands in VllmConfig (names are tried in order; releases differ).
PLACES: dict[str, tuple[str, ...]] = {
    "dtype": ("model_config.dtype",),
    "load_format": ("load_config.load_format",),
    "distributed_executor_backend": ("parallel_config.distributed_executor_backend",),
    "worker_extension_cls": ("parallel_config.worker_extension_cls",),
    "trust_remote_code": ("model_config.trust_remote_code",),
    "max_model_len": ("model_config.max_model_len",),
    "max_num_seqs": ("scheduler_config.max_num_seqs",),
    "enable_chunked_prefill": ("scheduler_config.enable_chunked_prefill", "scheduler_config.chunked_prefill_enabled"),
    "max_num_batched_tokens": ("scheduler_config.max_num_batched_tokens",),
    "enable_prefix_caching": ("cache_config.enable_prefix_caching",),
    "enable_sleep_mode": ("model_config.enable_sleep_mode",),
    "logprobs_mode": ("model_config.logprobs_mode",),
    "enforce_eager": ("model_config.enforce_eager",),
    "gpu_memory_utilization": ("cache_config.gpu_memory_utilization",),
    "tensor_parallel_size": ("parallel_config.tensor_parallel_size",),
    "data_parallel_size": ("parallel_config.data_parallel_size",),
    "enable_expert_parallel": ("parallel_config.enable_expert_parallel",),
    "decode_context_parallel_size": ("parallel_config.decode_context_parallel_size",),
    "disable_custom_all_reduce": ("parallel_config.disable_custom_all_reduce",),
    "seed": ("model_config.seed",),
    "quantization": ("model_config.quantization",),
    "scheduling_policy": ("scheduler_config.policy",),
    "async_scheduling": ("scheduler_config.async_scheduling",),
    "block_size": ("cache_config.block_size",),
    "kv_cache_dtype": ("cache_config.cache_dtype",),
    "mm_processor_cache_gb": ("model_config.multimodal_config.mm_processor_cache_gb",),
    "max_lora_rank": ("lora_config.max_lora_rank",),
}


def plain(value: Any) -> JsonValue:
    """A value as JSON has it: enums by name, dtypes without ``torch.``."""
    if value is None or isinstance(value, bool | int | float | str):
        return getattr(value, "name", value)
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else str(value).removeprefix("torch.")


def text(value: Any) -> str:
    """An enum or a dtype by its name."""
    return str(plain(value))


def _at(config: Any, place: str) -> tuple[bool, Any]:
    for name in place.split("."):
        if config is None or not hasattr(config, name):
            return False, None
        config = getattr(config, name)
    return True, config


def resolved(config: Any) -> dict[str, JsonValue]:
    """Resolved value of each argument that this release has."""
    values = {}
    for argument, places in PLACES.items():
        for place in places:
            there, value = _at(config, place)
            if there:
                values[argument] = plain(value)
                break
    return values


def graphs(config: Any, requested: dict[str, JsonValue]) -> Graphs:
    """How vLLM will compile and capture; ``requested`` is what verl wrote into its ``compilation_config``."""
    compilation = config.compilation_config
    sizes = sorted(compilation.cudagraph_capture_sizes or [])
    return Graphs(
        mode=text(compilation.cudagraph_mode),
        sizes=tuple(sizes),
        max=max([0, *sizes]),
        compilation=plain(compilation.mode),
        requested=requested,
    )


def model(config: Any, named: str, source: str, architecture: str) -> Model:
    """The model, in the words of vLLM's own model config."""
    of_vllm = config.model_config
    moe, hybrid = getattr(of_vllm, "is_moe", None), getattr(of_vllm, "is_hybrid", False)
    return Model(
        named=named,
        source=source,
        architecture=architecture,
        moe=bool(of_vllm.get_num_experts() if moe is None else moe),
        hybrid=bool(hybrid),
    )


def runner(config: Any) -> Runner:
    """Executor, worker and model runner."""
    from vllm.v1.executor.abstract import Executor

    return Runner(
        executor=Executor.get_class(config).__name__,
        worker=config.parallel_config.worker_cls,
        model_runner="V2" if getattr(config, "use_v2_model_runner", None) else "V1",
    )


def precision() -> Precision:
    """FP8 format of the GPU, in vLLM's words."""
    from vllm.platforms import current_platform

    return Precision(
        fp8=text(current_platform.fp8_dtype()),
        supports_fp8=current_platform.supports_fp8(),
        capability=str(current_platform.get_device_capability()),
    )
