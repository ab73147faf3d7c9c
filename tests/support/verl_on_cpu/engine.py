"""vLLM plugin (entry point group ``vllm.general_plugins``), loaded in every process of vLLM."""

from typing import Any


def plain_linear(layer: Any, remove_weight: bool) -> None:
    """Keep the weight of a linear layer as it is: vLLM's CPU kernels pack it, and no update could be loaded then."""
    import torch

    layer.cpu_linear = torch.nn.functional.linear


def register() -> None:
    """vLLM calls this in every process, and more than once."""
    import os

    from tests.support.verl_on_cpu import watch

    if os.environ.get("VERL_PLATFORM") == "cpu":
        from vllm.model_executor.layers import utils

        utils.dispatch_cpu_unquantized_gemm = plain_linear
    watch.watch_engine()
