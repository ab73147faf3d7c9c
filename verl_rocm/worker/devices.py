"""Which GPUs a job would see: the rules of Ray, verl and vLLM, run on the job's own variables."""

from __future__ import annotations

import os
from typing import Any

from .problem import Problem, first_line

NAMES = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def visible(given: dict[str, str], count: int) -> int:
    """How many of the node's ``count`` GPUs a job with these variables can use.

    Raises:
        Problem: Ray's AMD manager, verl's worker or vLLM's platform refuses the combination.
    """
    before = {name: os.environ.pop(name, None) for name in NAMES}
    os.environ.update({name: value for name, value in given.items() if value})
    try:
        chosen = _ray()
        _verl()
        _vllm()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    chosen = chosen if chosen is not None else _listed(given.get("CUDA_VISIBLE_DEVICES"))
    if chosen is None:
        return count
    outside = [name for name in chosen if name.isdigit() and int(name) >= count]
    if outside:
        raise Problem(
            "devices",
            f"device {outside[0]} is made visible, but the node has {count} GPUs (0 to {count - 1})",
            "correct HIP_VISIBLE_DEVICES, or give --gpus",
            "visibility",
        )
    return len(chosen)


def _listed(value: str | None) -> list[str] | None:
    return [part.strip() for part in value.split(",") if part.strip()] if value else None


def _refuse(who: str, error: BaseException) -> Problem:
    return Problem("devices", f"{who}: {first_line(error)}", "set only HIP_VISIBLE_DEVICES, or none", "visibility")


def _ray() -> list[str] | None:
    from ray._private.accelerators.amd_gpu import AMDGPUAcceleratorManager

    try:
        found: list[str] | None = AMDGPUAcceleratorManager.get_current_process_visible_accelerator_ids()
    except RuntimeError as error:
        raise _refuse("Ray", error) from None
    return found


def _verl() -> None:
    from verl.single_controller.base.worker import Worker

    worker: Any = object.__new__(Worker)
    kept = {name: os.environ.get(name) for name in NAMES}
    try:
        Worker._setup_env_cuda_visible_devices(worker)
    except (AssertionError, ValueError) as error:
        raise _refuse("verl", error) from None
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _vllm() -> None:
    from vllm.platforms import rocm

    sync = getattr(rocm, "_sync_hip_cuda_env_vars", None)
    try:
        if sync:
            sync()
    except (ValueError, AssertionError) as error:
        raise _refuse("vLLM", error) from None
