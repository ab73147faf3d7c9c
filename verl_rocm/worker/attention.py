"""vLLM's own choice of an attention backend, with AITER installed or not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import placeholders
from .resolve import text
from .wire import Attention

# Families whose layers choose their attention themselves, past the selector that is asked here (vllm/models).
OWN_ATTENTION = ("deepseek_v4",)


@contextmanager
def _aiter(installed: bool, switch: str | None) -> Iterator[None]:
    """Answer vLLM's questions about AITER: is it installed, and is ``VLLM_ROCM_USE_AITER`` set."""
    import vllm._aiter_ops as module

    if installed:
        placeholders.install("aiter")
    module.IS_AITER_FOUND = installed
    os.environ.pop("VLLM_ROCM_USE_AITER", None)
    if switch is not None:
        os.environ["VLLM_ROCM_USE_AITER"] = switch
    refresh = getattr(module.rocm_aiter_ops, "refresh_env_variables", None)
    if refresh:
        refresh()
    yield


def _select(config: Any) -> tuple[str, int, str]:
    """Backend's name, block size and graph support, as vLLM chooses them for the decoder's attention layers."""
    import inspect

    from vllm.config import CacheConfig, set_current_vllm_config
    from vllm.v1.attention.selector import _cached_get_attn_backend, get_attn_backend

    _cached_get_attn_backend.cache_clear()
    model, cache = config.model_config, config.cache_config
    hf_text = model.hf_text_config
    properties = {
        "head_size": model.get_head_size(),
        "dtype": model.dtype,
        "kv_cache_dtype": cache.cache_dtype,
        "block_size": cache.block_size if getattr(cache, "user_specified_block_size", False) else None,
        "use_mla": model.use_mla,
        "use_sparse": model.use_mla and hasattr(hf_text, "index_topk"),
        "has_sink": model.hf_config.model_type == "gpt_oss",
        "num_heads": model.get_num_attention_heads(config.parallel_config),
        "has_sliding_window": bool(model.get_sliding_window()),
    }
    known = inspect.signature(get_attn_backend).parameters
    with set_current_vllm_config(config):
        backend = get_attn_backend(**{name: value for name, value in properties.items() if name in known})
        default = getattr(CacheConfig, "DEFAULT_BLOCK_SIZE", 16)
        preferred = getattr(backend, "get_preferred_block_size", None)
        block = properties["block_size"] or (preferred(default) if preferred else cache.block_size)
        try:
            support = text(backend.get_builder_cls().get_cudagraph_support(config, None))
        except Exception:  # a builder that wants a KV cache spec says nothing here
            support = "unknown"
    return _name(backend), int(block or default), support


def _name(backend: Any) -> str:
    """The name by which vLLM's ``attention_backend`` option knows a backend; its own name may be another's."""
    from vllm.v1.attention.backends.registry import AttentionBackendEnum

    path = f"{backend.__module__}.{backend.__qualname__}"
    return next((str(entry.name) for entry in AttentionBackendEnum if entry.value == path), str(backend.get_name()))


def choices(config: Any, switch: str | None) -> tuple[Attention, ...]:
    """Backend without AITER, with AITER as the job sets its switch, and with the switch on.

    Call last in a process: AITER's presence cannot be taken back.
    """
    if config.model_config.hf_text_config.model_type in OWN_ATTENTION:
        block = config.cache_config.block_size
        return (Attention(aiter=False, switch=switch, backend="the model's own", block_size=block),)
    cases = [(False, switch), (True, switch)] + ([] if switch == "1" else [(True, "1")])
    chosen = []
    for installed, value in cases:
        with _aiter(installed, value):
            try:
                backend, block, support = _select(config)
            except Exception as error:
                message = " ".join(str(error).split())[:300]
                chosen.append(Attention(aiter=installed, switch=value, error=message))
            else:
                chosen.append(
                    Attention(aiter=installed, switch=value, backend=backend, block_size=block, graphs=support)
                )
    return tuple(chosen)
