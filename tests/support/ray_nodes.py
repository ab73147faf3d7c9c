"""A Ray cluster over the nodes of a test, started by the guide's own script."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.nodes import Node

ROOT = Path(__file__).resolve().parents[2]
SNIPPETS = ROOT / "snippets" / "how_to"
RAY_SCRIPT, RUN_SCRIPT = SNIPPETS / "several_nodes_ray.sh", SNIPPETS / "several_nodes_run.py"


class Cluster:
    """``nodes[0]`` is the head.  ``gpus`` are numbers that stand for places: no node has a GPU."""

    def __init__(self, nodes: Sequence[Node], folder: Path, *, gpus: int = 2, cpus: int = 16) -> None:
        self.nodes, self.folder = nodes, folder
        self.head = nodes[0]
        self.address = f"{self.head.address}:6379"
        self.options = [f"--num-gpus={gpus}", f"--num-cpus={cpus}", "--object-store-memory=200000000"]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a user's shell on a node has."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {"HOME": os.environ["HOME"], "LANG": "C.UTF-8", "RAY_USAGE_STATS_ENABLED": "0", "PATH": path}
        return {**kept, "RAY_AUTH_TOKEN_PATH": str(self.folder / "token"), "PYTHONPATH": str(ROOT), **(more or {})}

    def start(self, variables: Sequence[Mapping[str, str]] = ()) -> None:
        """Run the guide's script on all nodes at once, with ``variables`` of each."""
        logs = [self.folder / f"{node.name}.log" for node in self.nodes]
        roles = [["head"], *([["worker", self.head.address]] * (len(self.nodes) - 1))]
        started = [
            node.start(["bash", RAY_SCRIPT, *role, *self.options], log=log, env=self.environment(more))
            for node, role, log, more in zip(
                self.nodes, roles, logs, [*variables, *[{}] * (len(self.nodes) - len(variables))], strict=True
            )
        ]
        for process, log in zip(started, logs, strict=True):
            code = process.wait(timeout=120)
            assert code == 0, log.read_text()

    def driver(self, *command: str | Path, timeout: float = 120, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the head node, as a user of the cluster."""
        variables = {"RAY_ADDRESS": self.address, "RAY_AUTH_MODE": "token", **more}
        return self.head.run(command, timeout=timeout, env=self.environment(variables))

    def guarded(self, *command: str | Path, timeout: float = 120, wait: float = 30, nodes: int = 2, gpus: int = 2):  # type: ignore[no-untyped-def]
        """Run a command under the guide's ``several_nodes_run.py``."""
        limits = ["--nodes", str(nodes), "--gpus", str(gpus), "--wait", str(wait)]
        return self.driver(sys.executable, RUN_SCRIPT, *limits, *command, timeout=timeout)
