"""Which GPUs a job would see: the rules of Ray, verl and vLLM, run on the job's own variables.

Their own code decides, in the order of a job: Ray counts and masks, verl's worker renames, vLLM's engine compares.
``records/ray/visibility.json`` holds what real Ray nodes did with the same variables; a test compares.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .problem import Refused, first_line
from .wire import VISIBILITY, Kind

HINT = "unset all three where ray start runs, and choose the GPUs with the container"


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """The ``variables`` and no other of their kind, for a while."""
    before = {name: os.environ.pop(name, None) for name in VISIBILITY}
    os.environ.update({name: variables[name] for name in VISIBILITY if variables.get(name)})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def visible(variables: Mapping[str, str], count: int) -> list[str]:
    """The ids of those of the node's ``count`` GPUs that a job with these variables can use.

    Raises:
        Refused: Ray's AMD manager or verl's worker refuses the combination.
    """
    with _environment(variables):
        ids = _ray(count)
        if ids:
            _worker(ids[0])
    return ids


def serve(variables: Mapping[str, str], replica: list[str]) -> None:
    """Let vLLM compare what the server of this replica has: verl sets the CUDA name, the rest is the node's.

    Raises:
        Refused: vLLM's platform refuses the combination.
    """
    from vllm.platforms import rocm

    sync = getattr(rocm, "_sync_hip_cuda_env_vars", None)
    with _environment({**variables, "CUDA_VISIBLE_DEVICES": ",".join(replica)}):
        try:
            if sync:
                sync()
        except (ValueError, AssertionError) as error:
            raise _refuse("vLLM", error) from None


def _refuse(who: str, error: BaseException) -> Refused:
    return Refused("devices", f"{who}: {first_line(error)}", HINT, Kind.VISIBILITY)


def _ray(count: int) -> list[str]:
    from ray._private.accelerators.amd_gpu import AMDGPUAcceleratorManager

    try:
        chosen: list[str] | None = AMDGPUAcceleratorManager.get_current_process_visible_accelerator_ids()
    except RuntimeError as error:
        raise _refuse("Ray", error) from None
    ids = [str(number) for number in range(count)] if chosen is None else chosen
    outside = [name for name in ids if name.isdigit() and int(name) >= count]
    if outside:
        raise Refused(
            "devices",
            f"device {outside[0]} is made visible, but the node has {count} GPUs (0 to {count - 1})",
            "correct HIP_VISIBLE_DEVICES, or give --gpus",
            Kind.VISIBILITY,
        )
    return ids


def _worker(gpu: str) -> None:
    """What Ray and then verl do to the variables of a worker with this GPU."""
    from ray._private.accelerators.amd_gpu import AMDGPUAcceleratorManager
    from verl.single_controller.base.worker import Worker

    worker: Any = object.__new__(Worker)
    try:
        AMDGPUAcceleratorManager.set_current_process_visible_accelerator_ids([gpu])
        Worker._setup_env_cuda_visible_devices(worker)
    except (AssertionError, ValueError) as error:
        raise _refuse("verl", error) from None
