"""Program of a test, run on a node: where verl's own code puts the workers of each rollout replica.

    placement.py NODES GPUS_PER_NODE TENSOR_PARALLEL [stay]

Prints one JSON object.  The pool, the worker group and the way a replica takes its workers are verl's; a worker here
only says where it is.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from types import SimpleNamespace
from typing import TypedDict

os.environ.setdefault("VERL_PLATFORM", "amd")  # PlatformROCm; it only warns that there is no GPU
import ray
from verl.single_controller.base import Worker
from verl.single_controller.base.decorator import Dispatch, register
from verl.single_controller.ray.base import RayClassWithInitArgs, RayWorkerGroup, ResourcePoolManager
from verl.trainer.constants_ppo import get_ppo_ray_runtime_env
from verl.workers.rollout.replica import RolloutReplica

SEEN = ("VLLM_SAID", "SET_IN_RUNTIME_ENV", "HSA_NO_SCRATCH_RECLAIM", "NCCL_DEBUG", "NCCL_SOCKET_IFNAME")


class Place(TypedDict):
    """Where a worker is, and what it has of the variables ``SEEN``."""

    rank: int
    node: str
    env: dict[str, str | None]


class Placement(TypedDict):
    """What this program prints: the node of each worker of each replica, and the workers."""

    replicas: list[list[str]]
    workers: list[Place]


@ray.remote
class Where(Worker):  # type: ignore[misc]
    """A worker that says where it is."""

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)  # type: ignore[untyped-decorator]
    def where(self) -> Place:
        env = {name: os.environ.get(name) for name in SEEN}
        return Place(rank=self.rank, node=os.uname().nodename, env=env)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)  # type: ignore[untyped-decorator]
    def stay(self) -> None:
        time.sleep(3600)


class Replica(RolloutReplica):  # type: ignore[misc]
    """verl's replica, without the configuration and the servers."""

    def __init__(self, number: int, size: int) -> None:
        self.replica_rank, self.world_size = number, size

    async def launch_servers(self) -> None:
        return None


def replicas(nodes: list[str], size: int) -> list[list[str]]:
    """Where verl's replicas of ``size`` GPUs are, given the node of each worker by rank."""
    placed = []
    for number in range(len(nodes) // size):
        replica = Replica(number, size)
        asyncio.run(replica.init_hybrid(SimpleNamespace(workers=nodes)))
        placed.append(replica.workers)
    return placed


def main() -> None:
    nodes, gpus, tensor_parallel = map(int, sys.argv[1:4])
    runtime_env = get_ppo_ray_runtime_env()
    runtime_env["env_vars"]["SET_IN_RUNTIME_ENV"] = "driver"
    ray.init(runtime_env=runtime_env, log_to_driver=False)
    pools = ResourcePoolManager({"global_pool": [gpus] * nodes}, {0: "global_pool"})
    pools.create_resource_pool()
    group = RayWorkerGroup(pools.get_resource_pool(0), RayClassWithInitArgs(Where))
    workers = group.where()
    placement = Placement(replicas=replicas([place["node"] for place in workers], tensor_parallel), workers=workers)
    print("PLACED", json.dumps(placement), flush=True)
    if "stay" in sys.argv:
        group.stay()


if __name__ == "__main__":
    main()
