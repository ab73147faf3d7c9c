"""A sleep check in verl's order: sleep, train, wake ``weights``, sync, wake ``kv_cache``.

The weights travel by verl's own sender and receiver (verl 0.9.1), and the training step has learning rate 0, so that
the answers must not change.  It needs verl.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import torch
from verl.utils.device import get_device_name, get_torch_device, is_support_ipc, set_expandable_segments
from verl.workers.rollout.vllm_rollout.bucketed_weight_transfer import BucketedWeightSender
from verl.workers.rollout.vllm_rollout.utils import vLLMColocateWorkerExtension

from verl_rocm.sleepcheck.check import Options, Wake, check, checkpoint, verify
from verl_rocm.sleepcheck.counters import Counter, Probe
from verl_rocm.sleepcheck.judge import Run

RPC_SECONDS = 600


class VerlProbe(Probe, vLLMColocateWorkerExtension):
    """verl's methods in the vLLM worker (receive weights, load them, process them), and the counters."""


class Actor:
    """Stands for the trainer: it holds the weights on the first GPU, and changes them while the engine sleeps."""

    def __init__(self, directory: Path) -> None:
        from safetensors.torch import load_file

        self.weights: dict[str, torch.Tensor] = {}
        for file in sorted(directory.glob("*.safetensors")):
            self.weights |= load_file(file, device=get_device_name())

    def train(self, learning_rate: float) -> None:
        """Change every weight by this share of it."""
        for weight in self.weights.values():
            weight.sub_(learning_rate * weight)


def sync(llm: Any, actor: Actor, bucket_mb: int) -> None:
    """Send the actor's weights to every worker, as verl's `update_weights` does: one sender a worker."""
    failed: list[Exception] = []

    def send(rank: int, address: str) -> None:
        try:
            if get_device_name() == "cuda":  # also the name of a ROCm device
                get_torch_device().set_device(rank)  # the bucket lives on the worker's GPU
            sender = BucketedWeightSender(address, bucket_size_mb=bucket_mb, use_shm=not is_support_ipc())
            asyncio.run(sender.async_send_weights(iter(actor.weights.items())))
        except Exception as error:
            failed.append(error)

    addresses = llm.collective_rpc("_get_zmq_handle")
    senders = [threading.Thread(target=send, args=pair, daemon=True) for pair in enumerate(addresses)]
    for sender in senders:
        sender.start()
    llm.collective_rpc("update_weights_from_ipc", timeout=RPC_SECONDS, kwargs={"use_shm": not is_support_ipc()})
    for sender in senders:
        sender.join()
    if failed:
        raise failed[0]


def wake_and_sync(actor: Actor, learning_rate: float, bucket_mb: int) -> Wake:
    """verl's order after a sleep: nothing is generated before the KV cache is back and the prefix cache empty."""

    def wake(llm: Any) -> None:
        actor.train(learning_rate)
        set_expandable_segments(False)  # as verl does before it shares memory
        get_torch_device().empty_cache()
        llm.wake_up(tags=["weights"])
        sync(llm, actor, bucket_mb)
        llm.wake_up(tags=["kv_cache"])
        llm.reset_prefix_cache()
        set_expandable_segments(True)

    return wake


def in_verls_order(options: Options, level: int = 2, bucket_mb: int = 2048) -> int:
    """Check at ``level`` (verl: 2, with LoRA 1) with buckets of ``bucket_mb`` MB; exit code as in ``check``."""
    os.environ["VERL_RAY_JOB_ID"] = str(os.getpid())  # names the sockets, so that two checks can run on one host

    def measure(llm: Any, counters: list[Counter], expected: int, **more: Any) -> list[Run]:
        actor = Actor(checkpoint(options.model))
        wake = wake_and_sync(actor, 0.0, bucket_mb)
        return [verify(llm, counters, expected, level=level, wake=wake, title="verl's order", **more)]

    return check(options, measure, VerlProbe)
