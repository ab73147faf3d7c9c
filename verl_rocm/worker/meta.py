"""A rank of an engine without a device: vLLM's own model on torch's meta device, in a group whose others are fake.

What is patched here stays so: it runs in a fork of its own (:mod:`verl_rocm.worker.weigh`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .adopt import VARIABLE
from .placeholders import Nothing

NOT_IN_CPU_BUILDS = ("relu_squared",)  # operators that a layer looks up when it is built


def _answer_identity() -> None:
    """Let torch answer the questions of layers about the device with the facts of the named GPU.

    Streams and events, which layers make when they are built and use when they compute, are empty values.
    """
    import torch

    text = os.environ.get(VARIABLE)
    if not text:
        return  # the platform is this machine's own, which answers for itself
    gpu = json.loads(text)
    properties = SimpleNamespace(
        name=f"AMD Instinct {gpu['name']}",
        gcnArchName=gpu["arch"],
        multi_processor_count=gpu["compute_units"],
        total_memory=gpu["memory_gib"] * 2**30,
    )
    torch.cuda.get_device_properties = lambda *_, **__: properties
    torch.cuda.current_device = lambda: 0
    torch.cuda.Stream = torch.cuda.Event = torch.Event = torch.Stream = Nothing
    import vllm.platforms

    platform = vllm.platforms.current_platform
    platform.device_type, platform.current_device = "meta", lambda: torch.device("meta")


def _register_operators() -> None:
    """Layers look their operators up when they are built; a named GPU's process keeps the libraries out."""
    import torch

    if not hasattr(torch.ops._C, "silu_and_mul"):
        import compiled_libraries

        compiled_libraries.register_operators()
    for name in NOT_IN_CPU_BUILDS:
        if not hasattr(torch.ops._C, name):
            setattr(torch.ops._C, name, Nothing())


def _spare_what_computes(config: Any) -> None:
    """Answer what a model's code asks for and what holds no memory that is counted.

    Kernels for the prefill of multi-head latent attention are in packages of a ROCm image.  The mean and deviation
    of images come from a file beside the model's configuration: 24 bytes of weights, which are left out without it.
    """
    from vllm.model_executor.layers.attention import mla_attention

    choose: Any = getattr(mla_attention, "get_mla_prefill_backend", None)

    def choose_or_none(of_vllm: Any) -> Any:
        try:
            return choose(of_vllm)
        except ValueError:
            return Nothing()

    if choose:
        mla_attention.get_mla_prefill_backend = choose_or_none
    multimodal = config.model_config.multimodal_config
    if multimodal is not None and not (Path(config.model_config.model) / "preprocessor_config.json").is_file():
        multimodal.mm_device_do_normalize = False


def join_group(config: Any) -> None:
    """Make this process rank 0 of the engine's groups; the other ranks are torch's fake ones.

    A fake group answers no collective, so that what vLLM would ask by one is answered here: no rank needs a
    communicator to hold weights, and all ranks of an engine's node are on one node.
    """
    import torch
    from torch.testing._internal.distributed.fake_pg import FakeStore
    from vllm.config import set_current_vllm_config
    from vllm.distributed import parallel_state

    parallel = config.parallel_config
    world = parallel.world_size_across_dp
    new_group, coordinator = torch.distributed.new_group, parallel_state.GroupCoordinator
    initialise = coordinator.__init__

    def without_communication(self: Any, *args: Any, **named: Any) -> None:
        named |= {"use_device_communicator": False, "use_message_queue_broadcaster": False}
        initialise(self, *args, **named)

    torch.distributed.new_group = lambda *args, **named: new_group(*args, **(named | {"backend": "fake"}))
    coordinator.__init__ = without_communication
    parallel_state.in_the_same_node_as = lambda group, *_: [True] * torch.distributed.get_world_size(group)
    torch.distributed.init_process_group(backend="fake", store=FakeStore(), rank=0, world_size=world)
    with set_current_vllm_config(config):
        parallel_state.init_distributed_environment(parallel.world_size, 0, "fake://", 0, "fake")
        parallel_state.initialize_model_parallel(
            parallel.tensor_parallel_size, parallel.pipeline_parallel_size, backend="fake"
        )


def build(config: Any) -> Any:
    """vLLM's model of rank 0 on the meta device.

    Raises:
        Exception: whatever the model's own code raises.
    """
    import torch
    from vllm.config import CompilationMode
    from vllm.model_executor.model_loader.utils import initialize_model
    from vllm.utils.torch_utils import set_default_torch_dtype

    _answer_identity()
    _register_operators()
    _spare_what_computes(config)
    join_group(config)
    config.compilation_config.mode = CompilationMode.NONE  # a pass over a graph looks up kernels of the GPU
    with set_default_torch_dtype(config.model_config.dtype), torch.device("meta"):
        return initialize_model(vllm_config=config)
