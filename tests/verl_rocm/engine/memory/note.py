"""An extension of vLLM's worker that notes the bytes of a model between loading and packing.

The CPU's kernels pack weights into objects of their own, so that a started model no longer has them as tensors.
"""

from __future__ import annotations

from typing import Any

from vllm.model_executor.model_loader import base_loader

from verl_rocm.worker import weigh

NOTED: list[int] = []
_pack = base_loader.process_weights_after_loading


def _note(model: Any, *rest: Any, **more: Any) -> Any:
    NOTED.append(weigh.weights(model).total)
    return _pack(model, *rest, **more)


base_loader.process_weights_after_loading = _note


class Extension:
    """What ``worker_extension_cls`` names."""

    def loaded_bytes(self) -> int:
        """Bytes of the parameters and buffers of the rank that was loaded last."""
        return NOTED[-1]
