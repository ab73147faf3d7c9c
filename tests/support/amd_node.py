"""A real Ray node on this machine whose GPUs are claimed: Ray's own AMD code runs, no GPU is there.

What stands in for what: ``tests/support/amd_claim/sitecustomize.py``.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, STDOUT, CompletedProcess, Popen

import psutil

from guide.doctest import processes
from verl_rocm.dryrun.gpus import identity

ROOT = Path(__file__).resolve().parents[2]
GPUS = 2
VISIBILITY = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")


class Refused(Exception):
    """``ray start`` ended; the text is what it said last."""


def environment(variables: Mapping[str, str] = {}, gpus: int = GPUS) -> dict[str, str]:
    """A shell on a node with ``gpus`` MI300X, with these ``variables`` and no other of their kind."""
    kept = {name: value for name, value in os.environ.items() if name not in VISIBILITY and not name.startswith("RAY_")}
    path = [ROOT / "tests" / "support" / "amd_claim", ROOT / "verl_rocm" / "identity"]
    claimed = {
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "VERL_ROCM_IDENTITY": identity("MI300X", gpus).model_dump_json(),
        "VERL_PLATFORM": "amd",  # verl looks for rocm-smi otherwise
        "RAY_AUTH_MODE": "disabled",  # Ray would write a token into the home folder
        "RAY_USAGE_STATS_ENABLED": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return kept | claimed | dict(variables)


@contextmanager
def ray_node(environ: Mapping[str, str], *options: str, cpus: int = 16) -> Iterator[str]:
    """``ray start --head`` with more ``options`` in ``environ``; gives the address, and ends its processes.

    Raises:
        Refused: Ray does not start there.
    """
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short: a socket's path has 107 bytes
    log = folder / "start.log"
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, clients = one.getsockname()[1], other.getsockname()[1]
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", f"--port={port}"]
    command += [
        f"--num-cpus={cpus}",
        f"--temp-dir={folder}",
        "--include-dashboard=false",
        f"--ray-client-server-port={clients}",
    ]
    command += ["--object-store-memory=100000000", "--disable-usage-stats", *options]
    with log.open("w") as output:
        node = Popen(
            command,
            env=dict(environ),
            stdout=output,
            stderr=STDOUT,
            stdin=DEVNULL,
            start_new_session=True,
            preexec_fn=processes._die_with_parent,
        )
    try:
        end = time.monotonic() + 60
        while "Ray runtime started" not in log.read_text():
            if node.poll() is not None or time.monotonic() > end:
                raise Refused(log.read_text().strip().splitlines()[-1])
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        workers = psutil.Process(node.pid).children(recursive=True) if node.poll() is None else []
        processes.end_group(node.pid)
        node.wait()
        for worker in workers:  # each has a group of its own
            if worker.is_running():
                worker.kill()
        shutil.rmtree(folder, ignore_errors=True)


def ask(
    script: Path, arguments: Sequence[str], environ: Mapping[str, str], address: str, timeout: float = 300
) -> CompletedProcess[str]:
    """Run a Python script as a driver of the node at ``address``."""
    return processes.run(
        [sys.executable, str(script), *arguments], timeout=timeout, env={**environ, "RAY_ADDRESS": address}
    )


def answer(done: CompletedProcess[str]) -> str:
    """The JSON that a script printed as its last line."""
    return done.stdout.strip().splitlines()[-1]
