"""What a sleep-mode check reads from the machine: memory by driver and by runtime, open files, elapsed time."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

MIB = 2**20


class Stop(Exception):
    """The check cannot be made; the message is one line that says what to do."""


class Counter(Protocol):
    """Memory in use on each GPU of the engine, by all processes, in bytes."""

    name: str

    def used(self) -> tuple[int, ...]:
        """Bytes by GPU."""
        ...


class AmdSmi:
    """VRAM in use as the AMD driver reports it. It opens no HIP context in this process."""

    name = "amdsmi VRAM used"

    def __init__(self, gpus: int) -> None:
        import amdsmi  # raises KeyError, not ImportError, where libamd_smi.so is missing

        amdsmi.amdsmi_init()
        self.usage = amdsmi.amdsmi_get_gpu_vram_usage  # in MiB
        handles = in_hip_order(amdsmi, amdsmi.amdsmi_get_processor_handles())
        self.handles = [handles[number] for number in visible_gpus(len(handles))[:gpus]]

    def used(self) -> tuple[int, ...]:
        return tuple(usage["vram_used"] * MIB for usage in map(self.usage, self.handles))

    def free(self) -> tuple[int, ...]:
        return tuple((usage["vram_total"] - usage["vram_used"]) * MIB for usage in map(self.usage, self.handles))


def in_hip_order(amdsmi: Any, handles: list[Any]) -> list[Any]:
    """HIP may number the GPUs in another order than amdsmi lists them; amdsmi 7 knows HIP's numbers."""
    describe = getattr(amdsmi, "amdsmi_get_gpu_enumeration_info", None)
    by_number = {describe(handle)["hip_id"]: handle for handle in handles} if describe else {}
    known = by_number.keys() == set(range(len(handles)))
    return [by_number[number] for number in range(len(handles))] if known else handles


def visible_gpus(count: int) -> list[int]:
    """Numbers of the GPUs that the engine may use, in the engine's order."""
    if os.environ.get("ROCR_VISIBLE_DEVICES"):
        raise Stop("ROCR_VISIBLE_DEVICES renumbers GPUs below HIP: unset it and choose with HIP_VISIBLE_DEVICES")
    name = "HIP_VISIBLE_DEVICES" if os.environ.get("HIP_VISIBLE_DEVICES") else "CUDA_VISIBLE_DEVICES"
    chosen = os.environ.get(name, "")
    try:
        numbers = [int(part) for part in chosen.split(",")] if chosen else list(range(count))
    except ValueError:
        raise Stop(f"{name}={chosen} names GPUs by id: use their numbers, such as 0,1") from None
    if not set(numbers) <= set(range(count)):
        raise Stop(f"{name}={chosen} names a GPU that amdsmi does not list (it lists {count}): correct it")
    return numbers


def amd_counter(gpus: int) -> tuple[AmdSmi | None, tuple[str, ...]]:
    """The driver's counter where there is one, and what to tell the reader where there is not."""
    import torch

    if not torch.version.hip:
        return None, ()
    try:
        return AmdSmi(gpus), ()
    except Stop:
        raise
    except Exception as error:
        return None, (
            f"amdsmi failed ({type(error).__name__}: {error}), so mem_get_info is judged; on ROCm that counter "
            "has shown memory as free which the driver still held (vLLM PR 37533): install amdsmi and repeat",
        )


class Probe:
    """Methods that vLLM adds to its workers (`worker_extension_cls`): each worker answers for its own GPU."""

    device: Any
    model_runner: Any

    def held_bytes(self) -> tuple[int, int]:
        """Weights and KV cache of this worker, in bytes."""
        return storage_bytes(self.model_runner.model.parameters()), storage_bytes(self.model_runner.kv_caches)

    def device_bytes_used(self) -> int:
        import torch

        free, total = torch.cuda.mem_get_info(self.device)
        return int(total - free)


def storage_bytes(tensors: Any) -> int:
    """Memory behind tensors, or lists of them; a storage that several share counts once."""
    flat = [part for item in tensors for part in (item if isinstance(item, (list, tuple)) else [item])]
    storages = [tensor.untyped_storage() for tensor in flat]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


class InWorker:
    """`mem_get_info` asked in the worker: it sees the whole device, and this process stays without a context."""

    name = "mem_get_info"

    def __init__(self, llm: Any) -> None:
        self.llm = llm

    def used(self) -> tuple[int, ...]:
        return tuple(self.llm.collective_rpc("device_bytes_used"))


def open_files() -> int:
    """Open file descriptors of this process and its descendants, the engine's workers among them."""
    total = 0
    for pid in process_tree():
        with contextlib.suppress(OSError):  # it ended meanwhile
            total += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return total


def process_tree() -> list[int]:
    """Process ids of this process and its descendants, parents first."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    tree = [os.getpid()]
    for pid in tree:
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End this process and its workers, with one line and exit code 2, when the engine no longer answers."""

    def expire() -> None:
        print(
            f"error: no verdict within {seconds:g} s: the engine hangs, or give it more time with --timeout",
            file=sys.stderr,
            flush=True,
        )
        for pid in reversed(process_tree()[1:]):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        os._exit(2)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
