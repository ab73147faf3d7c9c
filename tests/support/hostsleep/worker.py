"""vLLM's CPU worker with the GPU worker's sleep mode."""

import os
from collections.abc import Iterable
from pathlib import Path

import torch
from vllm.model_executor.layers import utils
from vllm.v1.worker.cpu_worker import CPUWorker
from vllm.v1.worker.gpu_worker import Worker

from tests.support.hostsleep import memory

PACKING = utils.dispatch_cpu_unquantized_gemm


class SleepingCpuWorker(CPUWorker):
    """The CPU worker with the GPU worker's own ``sleep`` and ``wake_up``."""

    sleep = Worker.sleep
    wake_up = Worker.wake_up

    def init_device(self) -> None:
        # The CPU kernels keep weights packed in memory of their own, where no backend reaches them.
        hide = os.environ.get("HOSTSLEEP_HIDE_WEIGHTS")
        utils.dispatch_cpu_unquantized_gemm = PACKING if hide else plain_linear
        super().init_device()
        memory.tensors_of = self.tensors_of
        torch.accelerator.get_memory_info = memory_info

    def tensors_of(self, tag: str) -> Iterable[torch.Tensor]:
        if tag == "kv_cache":
            return self.model_runner.kv_caches
        return [*self.model_runner.model.parameters(), *self.model_runner.model.buffers()]


def plain_linear(layer: torch.nn.Module, remove_weight: bool) -> None:
    layer.cpu_linear = torch.nn.functional.linear


def memory_info(*_: object) -> tuple[int, int]:
    """(free, total) in bytes, as the GPU worker asks for; here from the resident memory of this process."""
    total = os.sysconf("SC_PAGESIZE") * os.sysconf("SC_PHYS_PAGES")
    return total - resident_bytes(), total


def resident_bytes() -> int:
    """Resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
