"""What a run leaves to its test: digests of the weights on both sides of each sync, and faults on request.

verl loads this module (``VERL_USE_EXTERNAL_MODULES``) where the actor lives, vLLM its plugin (:mod:`.engine`).

One JSON line a sync and process in the file ``VERL_ON_CPU_LOG``: ``{"who": "actor"|"engine", "sync": 0, ...}``.
Sync 0 comes before the first step.  ``VERL_ON_CPU_FAULT`` breaks a run on purpose:

- ``no-sync``: the engine receives the weights and does not load them;
- ``raise-in-sync:N``: the engine's worker raises in sync N;
- ``raise-in-generate:N``: the engine's worker raises when it is asked for its next tokens after sync N.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

# vLLM keeps these of a Qwen2 under the names of the checkpoint; the others it merges.
COMPARED = (
    "embed_tokens.weight",
    "o_proj.weight",
    "down_proj.weight",
    "layernorm.weight",
    "norm.weight",
    "lm_head.weight",
)
FAULT, _, AT = os.environ.get("VERL_ON_CPU_FAULT", "").partition(":")


def digest(weights: Iterable[tuple[str, torch.Tensor]]) -> dict[str, str]:
    """A short hash of each compared weight, in the precision of the engine."""
    digests = {}
    for name, weight in weights:
        if name.endswith(COMPARED):
            plain = weight.detach().to("cpu", torch.bfloat16).contiguous().view(torch.uint8)
            digests[name] = hashlib.sha256(plain.numpy().tobytes()).hexdigest()[:16]
    return digests


def note(**line: Any) -> None:
    """Append a line to the log of the run, in one write."""
    if path := os.environ.get("VERL_ON_CPU_LOG"):
        with Path(path).open("a", encoding="utf-8") as log:
            log.write(json.dumps({**line, "pid": os.getpid()}) + "\n")


def watch_actor() -> None:
    """Note the weights that the actor sends."""
    from verl.workers.rollout.utils import ensure_async_iterator
    from verl.workers.rollout.vllm_rollout.bucketed_weight_transfer import BucketedWeightSender

    send, syncs = BucketedWeightSender.async_send_weights, iter(range(10**9))

    async def sent(self: Any, weights: Any) -> Any:
        seen: dict[str, str] = {}

        async def through() -> Any:
            async for name, weight in ensure_async_iterator(weights):
                seen.update(digest([(name, weight)]))
                yield name, weight

        result = await send(self, through())
        note(who="actor", sync=next(syncs), digest=seen)
        return result

    BucketedWeightSender.async_send_weights = sent


def watch_engine() -> None:
    """Note the weights that the engine holds after a sync; bring in the fault that is asked for."""
    from verl.workers.rollout.vllm_rollout.utils import vLLMColocateWorkerExtension as Extension

    if getattr(Extension, "watched", False):
        return
    Extension.watched = True
    update, syncs = Extension.update_weights_from_ipc, iter(range(10**9))

    def updated(self: Any, *arguments: Any, **words: Any) -> Any:
        number = next(syncs)
        if FAULT == "raise-in-sync" and number == int(AT):
            note(who="engine", sync=number, digest={}, fault=FAULT)
            raise RuntimeError("a fault on purpose, in the sync")
        if FAULT == "raise-in-generate" and number == int(AT):
            self.model_runner.execute_model = _fail
        result = update(self, *arguments, **words)
        note(who="engine", sync=number, digest=digest(self.model_runner.model.named_parameters()))
        return result

    Extension.update_weights_from_ipc = updated
    if FAULT == "no-sync":
        Extension._update_weights = lambda *_, **__: None


def _fail(*_: Any, **__: Any) -> None:
    note(who="engine", sync=-1, digest={}, fault=FAULT)
    raise RuntimeError("a fault on purpose, in generation")


if os.environ.get("VERL_ON_CPU_LOG"):
    watch_actor()
