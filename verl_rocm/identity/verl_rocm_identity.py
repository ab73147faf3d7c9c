"""vLLM's entry point of a dry run: vLLM's own ``RocmPlatform``, with what a CPU build cannot know of a ROCm one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    RocmDryRun: type[Any]


def platform() -> str | None:
    """The platform's qualified name, or None outside a dry run: a user's real process is left alone."""
    return "verl_rocm_identity.RocmDryRun" if os.environ.get("VERL_ROCM_IDENTITY") else None


def make() -> type[Any]:
    """A subclass of the ``RocmPlatform`` that is loaded now; made late, because vLLM resolves the arch at import."""
    from vllm.platforms.rocm import RocmPlatform

    class RocmDryRun(RocmPlatform):
        @classmethod
        def is_cumem_allocator_available(cls) -> bool:
            """Builds for ROCm carry the sleep-mode allocator (vLLM's CMakeLists.txt); a CPU build does not."""
            return True

    return RocmDryRun


def __getattr__(name: str) -> type[Any]:
    if name == "RocmDryRun":
        return make()
    raise AttributeError(name)
