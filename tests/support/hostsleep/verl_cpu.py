"""The little of a verl platform that its weight transfer needs on a CPU: shared memory in the place of CUDA IPC.

Loaded by ``VERL_USE_EXTERNAL_MODULES`` and chosen by ``VERL_PLATFORM=cpu``.
"""

from types import SimpleNamespace

from verl.plugin.platform.platform_cuda import PlatformCUDA
from verl.plugin.platform.platform_manager import PlatformRegistry


def nothing(*_: object) -> None:
    return None


@PlatformRegistry.register(platform="cpu")
class PlatformCpu(PlatformCUDA):
    device_name = "cpu"
    vendor_name = "cpu"
    device_module = SimpleNamespace(synchronize=nothing, empty_cache=nothing, ipc_collect=nothing)

    def is_available(self) -> bool:
        return True

    def is_ipc_supported(self) -> bool:
        return False

    def set_allocator_settings(self, settings: str) -> None:
        return None
