"""A way for weights to go from an actor to an engine that has processes of its own: a file in a folder that both see.

verl loads it with ``checkpoint_engine.custom_backend_module``; its own engines need a GPU or RDMA.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TypedDict

import torch
from verl.checkpoint_engine.base import CheckpointEngine, CheckpointEngineRegistry

LIMIT = 120.0  # seconds that an engine waits for the actor


class Ranks(TypedDict):
    """The ranks of one side, as verl hands them to ``init_process_group``."""

    rank: list[int]


@CheckpointEngineRegistry.register("files")
class FileCheckpointEngine(CheckpointEngine):
    """The first rank of the actor writes all weights of a step; the engines wait for the file and read it."""

    def __init__(self, bucket_size: int, is_master: bool = False) -> None:
        self.folder = Path(os.environ["VERL_ON_CPU_LOG"]).parent
        self.is_master = is_master

    def prepare(self) -> dict[str, object]:
        return {}

    @classmethod
    def build_topology(cls, actors: int, engines: int, metadata: list[dict[str, object]]) -> tuple[Ranks, Ranks]:
        return {"rank": list(range(actors))}, {"rank": list(range(actors, actors + engines))}

    def init_process_group(self, rank: int) -> None:
        self.rank = rank

    def finalize(self) -> None:
        return None

    def file(self, global_steps: int | None) -> Path:
        """Where the weights of a step lie."""
        return self.folder / f"weights-{global_steps}.pt"

    async def send_weights(self, weights: Iterator[tuple[str, torch.Tensor]], global_steps: int | None = None) -> None:
        copies = {name: weight.detach().clone() for name, weight in weights}  # every rank takes part in gathering
        if self.rank == 0:
            part = self.file(global_steps).with_suffix(".part")
            torch.save(copies, part)
            part.replace(self.file(global_steps))

    async def receive_weights(self, global_steps: int | None = None) -> AsyncIterator[tuple[str, torch.Tensor]]:
        end = time.monotonic() + LIMIT
        while not self.file(global_steps).is_file():
            if time.monotonic() > end:
                raise TimeoutError(f"the actor wrote no {self.file(global_steps)}")
            await asyncio.sleep(0.1)
        for name, weight in torch.load(self.file(global_steps)).items():
            yield name, weight
