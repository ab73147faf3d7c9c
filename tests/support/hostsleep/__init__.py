"""The positive control of the sleep-mode check: a vLLM plugin with which the CPU engine really sleeps.

It gives host memory back to the kernel (``madvise``) and restores it at the same address, through vLLM's own
dispatch: ``LLM.sleep`` -> engine -> executor -> the GPU worker's ``sleep`` -> a sleep-mode backend.
It replaces exactly the part where ROCm has failed, the device allocator.
So it proves that the checker tells sleep from no sleep, and nothing about any GPU.

For tests only: :func:`write_entry_points` announces it to vLLM in processes that get its PYTHONPATH.
"""

from pathlib import Path

from tests.support import verl_on_cpu

GROUPS = {"vllm.platform_plugins": "platform", "vllm.general_plugins": "register_backend"}


def platform() -> str | None:
    """vLLM calls this to find platforms; only where the CPU platform is in use there is anything to replace."""
    from vllm.platforms import cpu_platform_plugin

    return f"{__name__}.platform.HostSleepCpuPlatform" if cpu_platform_plugin() else None


def register_backend() -> None:
    """vLLM calls this in every process, and more than once."""
    from vllm.device_allocator.sleep_mode_backend import SleepModeBackendFactory

    if "hostmem" not in SleepModeBackendFactory._registry:
        SleepModeBackendFactory.register_backend("hostmem", f"{__name__}.memory", "HostMemoryBackend")


def write_entry_points(directory: Path) -> None:
    """Write what ``importlib.metadata`` reads of installed packages into ``directory``."""
    lines = [f"[{group}]\nhostsleep = {__name__}:{function}\n" for group, function in GROUPS.items()]
    verl_on_cpu.write_metadata(directory, "hostsleep", "0", "".join(lines))
    verl_on_cpu.write_vllm(directory)
