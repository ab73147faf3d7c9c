"""verl's platform for a CPU: loaded by ``VERL_USE_EXTERNAL_MODULES``, chosen by ``VERL_PLATFORM=cpu``.

Ray's resource ``GPU`` stands for a place to put a worker: verl's resource pools count no other.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
import torch.distributed
import torch.distributed.fsdp
from transformers import AutoModelForTokenClassification
from verl.plugin.platform.platform_cuda import PlatformCUDA
from verl.plugin.platform.platform_manager import PlatformRegistry


class Cpu(str):
    """The CPU as a device (``tensor.to(device)``) that formats as an index (``f"{name}:{device}"``)."""

    def __format__(self, spec: str) -> str:
        return "0"


CPU = Cpu("cpu")


def _nothing(*_: object, **__: object) -> None:
    return None


def _module() -> types.ModuleType:
    """What verl expects of ``torch.cuda``, over a CPU: no memory of its own, nothing to wait for."""
    module = types.ModuleType("verl_on_cpu_device")
    for name in ("synchronize", "empty_cache", "ipc_collect", "set_device", "reset_peak_memory_stats"):
        setattr(module, name, _nothing)
    for name in ("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved"):
        setattr(module, name, lambda *_: 0)
    module.__dict__.update(
        is_available=lambda: False,
        device_count=lambda: 1,
        current_device=lambda: CPU,
        manual_seed=torch.manual_seed,
        manual_seed_all=torch.manual_seed,
        get_rng_state=lambda *_: torch.get_rng_state(),
        set_rng_state=lambda state, *_: torch.set_rng_state(state),
        mem_get_info=lambda *_: (0, 1),
        current_stream=lambda *_: torch.cpu.current_stream(),
        stream=lambda _: nullcontext(),
        get_device_name=lambda *_: "cpu",
    )
    return module


MODULE = _module()


@PlatformRegistry.register(platform="cpu")
class PlatformCpu(PlatformCUDA):
    """verl's CUDA platform with the CPU in the place of the device, and shared memory in the place of CUDA IPC."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = MODULE
    set_device = synchronize = set_allocator_settings = empty_cache = _nothing
    profiler_start = profiler_stop = cudart = _nothing

    def is_available(self) -> bool:
        return True

    def is_platform_available(self, use_smi_check: bool = False) -> bool:
        return True

    def is_ipc_supported(self) -> bool:
        return False

    def current_device(self) -> Any:
        return CPU

    def device_count(self) -> int:
        return 1

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def communication_backend_name(self) -> str:
        return "gloo"

    def rollout_env_vars(self) -> dict[str, str]:
        return {}

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield


INIT_PROCESS_GROUP = torch.distributed.init_process_group


def init_process_group(backend: str | None = None, *arguments: Any, **words: Any) -> Any:
    """verl names a backend for its device and one for the CPU, which torch refuses where both are the CPU."""
    return INIT_PROCESS_GROUP("cpu:gloo" if backend == "cpu:gloo,cpu:gloo" else backend, *arguments, **words)


class CPUOffloadPolicy(torch.distributed.fsdp.CPUOffloadPolicy):
    """verl asks for pinned memory for the reference model, which needs an accelerator."""

    def __init__(self, pin_memory: bool = True) -> None:
        super().__init__(pin_memory=False)


LOAD_CRITIC = AutoModelForTokenClassification.from_pretrained


def load_critic(*arguments: Any, **words: Any) -> Any:
    """verl loads a critic with flash attention whatever ``override_config`` says."""
    return LOAD_CRITIC(*arguments, **words | {"attn_implementation": "sdpa"})


AutoModelForTokenClassification.from_pretrained = load_critic
torch.distributed.init_process_group = init_process_group
torch.distributed.fsdp.CPUOffloadPolicy = CPUOffloadPolicy
