"""The scripts of the page on several nodes, on a real Ray cluster: two nodes, each with an address of its own.

A node is a set of Linux namespaces; its GPUs are numbers that stand for places.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import nodes
from tests.support.ray_nodes import RAY_SCRIPT, RUN_SCRIPT, SNIPPETS, Cluster

if TYPE_CHECKING:
    from tests.ray.placement import Placement

pytestmark = pytest.mark.skipif(bool(why := nodes.missing()), reason=why)
PLACEMENT = Path(__file__).with_name("placement.py")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes with two GPUs each; the worker's Ray was started with one variable more than the head's."""
    folder = tmp_path_factory.mktemp("nodes")
    with nodes.Nodes("head", "worker", shared=[folder, SNIPPETS.parents[1]]) as pair:
        cluster = Cluster(pair, folder)
        cluster.start([{"VLLM_SAID": "head"}, {"VLLM_SAID": "worker", "HSA_ONLY_HERE": "1"}])
        yield cluster


def place(cluster: Cluster, *sizes: int, timeout: float = 120, **variables: str) -> Placement:
    """What the placement program prints."""
    done = cluster.driver(sys.executable, PLACEMENT, *map(str, sizes), timeout=timeout, **variables)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("PLACED ")] or [done.stdout]
    placement: Placement = json.loads(line.removeprefix("PLACED "))
    return placement


@pytest.fixture(scope="module")
def placed(cluster: Cluster) -> Placement:
    """Two nodes, two GPUs each, tensor parallel 2; the launching shell has set two variables that verl sets too."""
    return place(cluster, 2, 2, 2, HSA_NO_SCRATCH_RECLAIM="0")


def test_each_replica_of_tensor_parallel_2_stays_on_one_node(placed: Placement) -> None:
    assert placed["replicas"] == [["head", "head"], ["worker", "worker"]]
    assert [(worker["rank"], worker["node"]) for worker in placed["workers"]] == [
        (0, "head"),
        (1, "head"),
        (2, "worker"),
        (3, "worker"),
    ]


def test_a_replica_that_is_larger_than_a_node_spans_two(placed: Placement) -> None:
    from tests.ray.placement import replicas

    assert replicas([worker["node"] for worker in placed["workers"]], 4) == [["head", "head", "worker", "worker"]]


def test_what_a_worker_finds_in_its_environment(placed: Placement) -> None:
    seen = {worker["node"]: worker["env"] for worker in placed["workers"]}
    assert [seen[node]["VLLM_SAID"] for node in ("head", "worker")] == ["head", "worker"], "of its own node's Ray"
    assert [seen[node]["SET_IN_RUNTIME_ENV"] for node in ("head", "worker")] == ["driver", "driver"]
    assert [seen[node]["NCCL_DEBUG"] for node in ("head", "worker")] == ["WARN", "WARN"], "verl's own"
    # Set in the launching shell alone: verl takes its value back, and nobody else sends one.
    assert [seen[node]["HSA_NO_SCRATCH_RECLAIM"] for node in ("head", "worker")] == [None, None]
    # Exported before `ray start`, as several_nodes_env.sh does it.
    assert [seen[node]["NCCL_SOCKET_IFNAME"] for node in ("head", "worker")] == ["=eth0", "=eth0"]


def test_the_command_runs_when_the_cluster_is_whole(cluster: Cluster) -> None:
    done = cluster.guarded("sh", "-c", 'echo "it runs with $RAY_ADDRESS"; exit 7')
    assert done.returncode == 7
    assert "it runs with 10.77.0.1:6379" in done.stdout
    assert "warning: VLLM_SAID differs: head on 10.77.0.1 (head), worker on 10.77.0.2 (worker)" in done.stdout
    assert "warning: HSA_ONLY_HERE differs: unset on 10.77.0.1 (head), 1 on 10.77.0.2 (worker)" in done.stdout
    assert "NCCL_SOCKET_IFNAME differs" not in done.stdout


@pytest.mark.parametrize(
    ("size", "line"),
    [
        ({"nodes": 3}, "after 2 s not 3 nodes with 2 GPUs each, but 2 on 10.77.0.1 (head), 2 on 10.77.0.2 (worker)"),
        ({"gpus": 3}, "after 2 s not 2 nodes with 3 GPUs each"),
    ],
    ids=["a node is missing", "a GPU is missing"],
)
def test_a_cluster_that_is_not_whole_is_one_line(cluster: Cluster, size: dict[str, int], line: str) -> None:
    done = cluster.guarded("echo", "started", wait=2, **size)
    assert done.returncode == 2
    assert line in done.stdout.splitlines()[-1]
    assert "started" not in done.stdout and "Traceback" not in done.stdout


def test_a_second_ray_on_a_node_is_refused(cluster: Cluster) -> None:
    for role in (["head"], ["worker", cluster.head.address]):
        done = cluster.nodes[1].run(["bash", RAY_SCRIPT, *role], env=cluster.environment())
        assert (done.returncode, done.stdout) == (
            2,
            "several_nodes_ray: a Ray that was left behind still runs on this node: end it with 'ray stop'\n",
        )


def test_without_the_token_ray_is_refused(cluster: Cluster) -> None:
    """What happens to a worker that was started by hand, without the guide's environment."""
    program = "import ray; ray.init(address='10.77.0.1:6379')"
    done = cluster.head.run([sys.executable, "-c", program], env=cluster.environment({"RAY_AUTH_MODE": "disabled"}))
    assert done.returncode == 1
    assert "InvalidAuthToken: Authentication token is missing or incorrect" in done.stdout


# Last, because it takes a node away.
def test_a_lost_node_ends_the_run(cluster: Cluster) -> None:
    """verl's worker group waits for its workers; the node is cut off the network, so nobody is told."""
    log = cluster.folder / "lost.log"
    guard = [sys.executable, RUN_SCRIPT, "--nodes", "2", "--gpus", "2"]
    command = [*guard, sys.executable, PLACEMENT, "2", "2", "2", "stay"]
    variables = {"RAY_ADDRESS": cluster.address, "RAY_AUTH_MODE": "token"}
    run = cluster.head.start(list(map(str, command)), log=log, env=cluster.environment(variables))
    end = time.monotonic() + 90
    while "PLACED" not in log.read_text():
        assert time.monotonic() < end and run.poll() is None, log.read_text()
        time.sleep(0.2)
    cluster.nodes[1].power_off()
    off = time.monotonic()
    while "several_nodes_run: lost" not in log.read_text():
        assert time.monotonic() < off + 60, "Ray did not tell"
        time.sleep(0.2)
    delay = time.monotonic() - off
    assert run.wait(timeout=60) == 3
    output = log.read_text()
    assert "several_nodes_run: lost 10.77.0.2 (worker); ending the run" in output
    print(f"said after {delay:.0f} s, ended after {time.monotonic() - off:.0f} s")
    assert not any("placement.py" in process for process in cluster.head.processes())
