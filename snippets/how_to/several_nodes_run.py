"""Run a command when the Ray cluster is whole, and end it when a node is lost.

    several_nodes_run.py --nodes 2 --gpus 8 bash grpo.sh trainer.nnodes=2

verl and Ray wait without end for a node that is missing; this says so and stops.
Exit codes: the command's own; 2 the cluster is not as requested; 3 a node was lost.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TypedDict

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

# verl reserves 3 CPUs for each GPU; with fewer its placement group waits for ever.
CPUS_PER_GPU = 3
# What decides how nodes talk and compute; verl's own variables go to all nodes anyway.
COMPARED = (
    "GLOO_",
    "GPU_",
    "HIP_",
    "HSA_",
    "NCCL_",
    "PYTORCH_",
    "RCCL_",
    "ROCR_",
    "TORCH_",
    "VLLM_",
)
LOST = 3
SILENCE = 15.0  # seconds without an answer after which a node is lost


class Node(TypedDict):
    """What is used here of Ray's description of a node."""

    NodeID: str
    NodeManagerAddress: str
    NodeManagerHostname: str
    NodeManagerPort: int
    Alive: bool
    Resources: dict[str, float]


class Unfit(Exception):
    """One line: what of the cluster does not fit, and what to do."""


def alive() -> dict[str, Node]:
    """The nodes that are up, by id, in the order of their addresses."""
    nodes: list[Node] = sorted(ray.nodes(), key=lambda node: node["NodeManagerAddress"])
    return {node["NodeID"]: node for node in nodes if node["Alive"]}


def name(node: Node) -> str:
    """A node as a person knows it."""
    return f"{node['NodeManagerAddress']} ({node['NodeManagerHostname']})"


def wait(nodes: int, gpus: int, seconds: float) -> dict[str, Node]:
    """The nodes of the cluster, once ``nodes`` of them have the GPUs.

    Raises :class:`Unfit` after ``seconds``.
    """
    end = time.monotonic() + seconds
    while True:
        up = alive()
        ready = [
            node for node in up.values() if node["Resources"].get("GPU", 0) >= gpus
        ]
        if len(ready) >= nodes:
            break
        if time.monotonic() > end:
            has = ", ".join(
                f"{node['Resources'].get('GPU', 0):g} on {name(node)}"
                for node in up.values()
            )
            raise Unfit(
                f"after {seconds:g} s not {nodes} nodes with {gpus} GPUs each, "
                f"but {has}: "
                "see the other nodes' `ray start`, or give it --num-gpus"
            )
        time.sleep(1)
    for node in ready:
        if (cpus := node["Resources"].get("CPU", 0)) < gpus * CPUS_PER_GPU:
            raise Unfit(
                f"{name(node)} has {cpus:g} CPUs for {gpus} GPUs, "
                f"and verl takes {CPUS_PER_GPU} for each: "
                "ask for more, or give `ray start` --num-cpus"
            )
    return up


@ray.remote(num_cpus=0)
def environment() -> dict[str, str]:
    """What a worker on this node finds in its environment."""
    return {key: value for key, value in os.environ.items() if key.startswith(COMPARED)}


def differences(nodes: dict[str, Node]) -> list[str]:
    """One line for each variable that is not the same on all nodes."""
    pending = [
        environment.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=key, soft=False)
        ).remote()
        for key in nodes
    ]
    environments = dict(
        zip(map(name, nodes.values()), ray.get(pending, timeout=120), strict=True)
    )
    names = sorted({key for values in environments.values() for key in values})
    return [
        f"{key} differs: "
        + ", ".join(
            f"{values.get(key, 'unset')} on {node}"
            for node, values in environments.items()
        )
        for key in names
        if len({values.get(key) for values in environments.values()}) > 1
    ]


# [start:guard]
def answers(node: Node) -> bool:
    """Whether the node's Ray takes a connection."""
    try:
        socket.create_connection(
            (node["NodeManagerAddress"], node["NodeManagerPort"]), timeout=3
        ).close()
    except OSError:
        return False
    return True


def guard(command: list[str], nodes: dict[str, Node], every: float = 1) -> int:
    """Run ``command``: its exit code, or :data:`LOST` when one of ``nodes`` left."""
    process = subprocess.Popen(command, start_new_session=True)
    silent: dict[str, float] = {}
    try:
        while True:
            code, up, now = process.poll(), alive(), time.monotonic()
            silent = {
                key: silent.get(key, now)
                for key, node in nodes.items()
                if not answers(node)
            }
            # Ray takes half a minute or more; a command that failed may notice before.
            gone = {
                key for key, since in silent.items() if code or now - since > SILENCE
            }
            lost = [
                name(node)
                for key, node in nodes.items()
                if key not in up or key in gone
            ]
            if lost and code != 0:
                print(
                    f"several_nodes_run: lost {', '.join(lost)}; ending the run",
                    file=sys.stderr,
                    flush=True,
                )
                return LOST
            if code is not None:
                return code if code >= 0 else 128 - code
            time.sleep(every)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes], patience: float = 20) -> None:
    """End the process group of the command; cleaning up may take it a while."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            limit = time.monotonic() + patience
            while time.monotonic() < limit:
                process.poll()
                os.killpg(process.pid, 0)  # ProcessLookupError once nobody is left
                time.sleep(0.2)
        except ProcessLookupError:
            return


# [end:guard]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--nodes", type=int, required=True, help="verl's trainer.nnodes"
    )
    parser.add_argument(
        "--gpus",
        type=int,
        required=True,
        help="of each node; verl's trainer.n_gpus_per_node",
    )
    parser.add_argument(
        "--wait", type=float, default=300, help="seconds for the nodes to join (300)"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("which command? for example: bash grpo.sh trainer.nnodes=2")
    # scancel, Ctrl-C: leave through `finally`
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        # Never a new one-node Ray; the command gets the variable too.
        os.environ.setdefault("RAY_ADDRESS", "auto")
        ray.init(logging_level="error", log_to_driver=False)
        nodes = wait(arguments.nodes, arguments.gpus, arguments.wait)
        for line in differences(nodes):
            print(f"several_nodes_run: warning: {line}", file=sys.stderr, flush=True)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        where, reason = os.environ["RAY_ADDRESS"], str(error).splitlines()[0]
        print(
            f"several_nodes_run: no Ray at {where} ({reason}): see `ray start`",
            file=sys.stderr,
        )
        return 2
    except Unfit as problem:
        print(f"several_nodes_run: {problem}", file=sys.stderr)
        return 2
    print(
        f"several_nodes_run: {', '.join(map(name, nodes.values()))}",
        file=sys.stderr,
        flush=True,
    )
    return guard(arguments.command, nodes)


if __name__ == "__main__":
    sys.exit(main())
