"""GPUs and nodes that a job asks for, against those that it would see."""

from __future__ import annotations

from typing import Any

from . import compose
from .problem import Refused
from .wire import ROLLOUT, Kind, Request, Sizes


def _whole(part: Any, key: str) -> int:
    """A number of GPUs, nodes or ways.

    Raises:
        Refused: it is none.
    """
    value = part.get(key.rpartition(".")[2])
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise Refused("compose", f"{key} is {value}", "give a whole number of 1 or more", Kind.MALFORMED)
    return number


def sizes(config: Any, request: Request, seen: int) -> Sizes:
    """GPUs and nodes of the rollout, checked against the machine.

    Raises:
        Refused: the job asks for more than there is.
    """
    part, name = (config.rollout, "rollout") if compose.standalone(config) else (config.trainer, "trainer")
    gpus, nodes = _whole(part, f"{name}.n_gpus_per_node"), _whole(part, f"{name}.nnodes")
    if gpus > seen:
        raise Refused(
            "devices",
            f"{name}.n_gpus_per_node is {gpus}, but a node has {seen} GPUs",
            f"lower {name}.n_gpus_per_node, or give --gpus {gpus}",
            Kind.GPUS,
        )
    if request.nodes and nodes > request.nodes:
        raise Refused(
            "devices",
            f"{name}.nnodes is {nodes}, but there are {request.nodes} nodes",
            f"lower {name}.nnodes, or give --nodes {nodes}",
            Kind.GPUS,
        )
    rollout = config.actor_rollout_ref.rollout
    world = _whole(rollout, f"{ROLLOUT}.tensor_model_parallel_size") * _whole(rollout, f"{ROLLOUT}.data_parallel_size")
    if world > gpus * nodes or gpus * nodes % world:
        raise Refused(
            "verl",
            f"one engine needs {world} GPUs (tensor x data parallel), which do not divide {gpus * nodes} GPUs",
            f"change {ROLLOUT}.tensor_model_parallel_size",
            Kind.GPUS,
        )
    return Sizes(
        gpus_per_node=gpus,
        nodes=nodes,
        gpus_of_one_engine=world,
        replicas=gpus * nodes // world,
        nodes_of_one_engine=-(-world // gpus),
    )
