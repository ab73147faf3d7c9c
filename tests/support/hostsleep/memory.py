"""A sleep-mode backend over host memory: pages go back to the kernel, addresses stay."""

import ctypes
import os
import tempfile
from collections.abc import Callable, Iterable
from typing import IO, Any

import torch
from vllm.device_allocator.sleep_mode_backend import SleepModeBackend

MADV_DONTNEED = 4
LIBC = ctypes.CDLL(None, use_errno=True)
PAGE = os.sysconf("SC_PAGESIZE")

# Set by the worker: the tensors of a tag.
tensors_of: Callable[[str], Iterable[torch.Tensor]] = lambda tag: ()  # noqa: E731
# Set by a control: "corrupt", "leak", "files".
faults: set[str] = set()


class HostMemoryBackend(SleepModeBackend):
    """Level 1 saves the weights to a file without a name, level 2 drops them; both drop the KV cache."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: dict[str, list[tuple[int, int, IO[bytes] | None]]] = {}
        self.kept: list[Any] = []

    def suspend(self, level: int = 1) -> None:
        if "leak" in faults:
            self.kept.append(torch.ones(6 * 2**20, dtype=torch.uint8))
        if "files" in faults:
            self.kept.append(tempfile.TemporaryFile())  # noqa: SIM115
        for tag in ("weights", "kv_cache"):
            self.saved[tag] = [
                (address, size, save(address, size) if (tag, level) == ("weights", 1) else None)
                for address, size in regions(tensors_of(tag))
            ]
        for saved in self.saved.values():
            for address, size, _ in saved:
                release(address, size)

    def resume(self, tags: list[str] | None = None) -> None:
        for tag in tags or list(self.saved):
            for address, size, file in self.saved.pop(tag, []):
                memory = (ctypes.c_char * size).from_address(address)
                if file is None or "corrupt" in faults:
                    ctypes.memset(address, 0, size)  # touches every page, so that the memory is really back
                else:
                    file.seek(0)
                    file.readinto(memory)  # type: ignore[attr-defined]
                if file is not None:
                    file.close()


def regions(tensors: Iterable[torch.Tensor]) -> list[tuple[int, int]]:
    """Address and size of each storage, once."""
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sorted({storage.data_ptr(): storage.nbytes() for storage in storages if storage.nbytes()}.items())


def save(address: int, size: int) -> IO[bytes]:
    """Copy memory to a file on disk: host memory kept in host memory would free nothing."""
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write((ctypes.c_char * size).from_address(address))
    file.flush()
    return file


def release(address: int, size: int) -> None:
    """Give the whole pages inside a region back to the kernel."""
    start, end = -(-address // PAGE) * PAGE, (address + size) // PAGE * PAGE
    if end > start and LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_DONTNEED):
        raise OSError(ctypes.get_errno(), "madvise")
