"""The scripts for several nodes, with stand-ins for `ray`, `ip`, `ps` and `srun` that write their calls down.

The same scripts run with the real Ray and the real Slurm in `tests/ray/test_nodes.py` and `tests/ray/test_slurm.py`.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stand_ins import Machine

ROOT = Path(__file__).parents[3]
SNIPPETS = ROOT / "snippets" / "how_to"
SCRIPTS = sorted(SNIPPETS.glob("several_nodes_*.sh"))
IP = """#!/bin/sh
[ "$5" = dev ] && [ "$6" != eth0 ] && exit 1
echo '1: eth0    inet 127.0.0.1/24 brd 127.0.0.255 scope global eth0'
"""
RECORD = '#!/bin/sh\necho "$(basename "$0") $*" >>"$CALLS"\n'
SRUN = """#!/bin/bash
echo "srun ${*:1:2}" >>"$CALLS"
while [ "$1" != bash ]; do shift; done
for node in 0 1; do SLURM_NODEID=$node SLURM_NTASKS=2 "$@"; done
"""


class Node(Machine):
    """A machine on which the scripts run as a user of a node."""

    def run(self, script: str | Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script as a user of the node; its output with standard error."""
        environment = {
            "PATH": f"{self.root / 'bin'}{os.pathsep}{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(self.root),
            "CALLS": str(self.root / "calls"),
            **variables,
        }
        return subprocess.run(
            ["bash", SNIPPETS / script, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=self.root,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Node:
    """A node on which nothing runs yet."""
    node = Node(tmp_path)
    node.command("ray", RECORD)
    node.command("ip", IP)
    node.command("ps", "#!/bin/sh\necho 'Zs   raylet'\n")  # of a container whose first process takes nothing in
    return node


@pytest.fixture
def head() -> Iterator[str]:
    """The port of something that listens on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def test_shellcheck_finds_nothing() -> None:
    if not (shellcheck := shutil.which("shellcheck")):
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([shellcheck, *SCRIPTS], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_bash_can_parse_it(script: Path) -> None:
    assert subprocess.run(["bash", "-n", script]).returncode == 0


SHOW = 'source "$0"; env | grep -E "^(NCCL|GLOO|RAY_AUTH|NODE_)" | sort'


def environment(machine: Node, **variables: str) -> dict[str, str]:
    """What a node's Ray would find."""
    done = subprocess.run(
        ["bash", "-euc", SHOW, SNIPPETS / "several_nodes_env.sh"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{machine.root / 'bin'}:/usr/bin:/bin", "HOME": "/home/me", **variables},
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


ALWAYS = {
    "GLOO_SOCKET_IFNAME": "eth0",
    "NODE_ADDRESS": "127.0.0.1",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN_PATH": "/home/me/.ray/several_nodes_token",
}


@pytest.mark.block("how_to/several_nodes_env.sh", "network", "adapters", "token", evidence="checked")
@pytest.mark.parametrize(
    ("adapters", "more"),
    [
        ("", {}),
        ("mlx5", {"NCCL_IB_HCA": "mlx5"}),
        ("bnxt_re", {"NCCL_IB_HCA": "bnxt_re", "NCCL_IB_GID_INDEX": "3"}),
        ("ionic", {"NCCL_IB_HCA": "ionic", "NCCL_IB_GID_INDEX": "1", "NCCL_IB_TC": "104", "NCCL_IB_FIFO_TC": "192"}),
        ("slingshot", {"NCCL_SOCKET_IFNAME": "hsn", "NCCL_CROSS_NIC": "1"}),
    ],
)
def test_the_environment_of_a_node(machine: Node, adapters: str, more: dict[str, str]) -> None:
    assert environment(machine, ADAPTERS=adapters) == {"NCCL_SOCKET_IFNAME": "=eth0", **ALWAYS, **more}


@pytest.mark.block("how_to/several_nodes_env.sh", "adapters", evidence="checked")
def test_what_the_site_sets_stands(machine: Node) -> None:
    site = {"NCCL_IB_HCA": "ionic_0,ionic_2", "NCCL_IB_GID_INDEX": "5", "NCCL_IB_TC": "96", "NCCL_SOCKET_IFNAME": "x"}
    variables = environment(machine, ADAPTERS="ionic", **site)
    assert {name: variables[name] for name in site} == site


@pytest.mark.block("how_to/several_nodes_env.sh", "adapters", evidence="checked")
def test_the_gid_indices_are_those_of_the_facts(machine: Node) -> None:
    settings = tomllib.loads((ROOT / "verl_rocm" / "facts" / "settings" / "communication.toml").read_text())["setting"]
    (setting,) = (setting for setting in settings if setting["name"] == "NCCL_IB_GID_INDEX")
    for family in ("bnxt_re", "ionic"):
        (advice,) = (advice["value"] for advice in setting["advice"] if f"({family})" in advice["for_whom"])
        assert environment(machine, ADAPTERS=family)["NCCL_IB_GID_INDEX"] == str(advice)


def test_an_unknown_family_is_one_line(machine: Node) -> None:
    done = machine.run("several_nodes_ray.sh", "head", ADAPTERS="efa")
    assert done.returncode == 2
    assert done.stdout == ("several_nodes_env: ADAPTERS=efa is unknown: mlx5, bnxt_re, ionic, slingshot, or nothing\n")


@pytest.mark.block("how_to/several_nodes_ray.sh", "check", "head", evidence="checked")
def test_the_head_makes_a_token_and_starts_ray_on_the_interface(machine: Node) -> None:
    port = free_port()
    done = machine.run("several_nodes_ray.sh", "head", "--num-gpus=8", PORT=port)
    assert (done.returncode, done.stdout) == (
        0,
        "several_nodes_ray: on the workers: several_nodes_ray.sh worker 127.0.0.1\n",
    )
    assert machine.calls == [f"ray start --head --node-ip-address=127.0.0.1 --port={port} --num-gpus=8"]
    token = machine.root / ".ray" / "several_nodes_token"
    assert len(token.read_text().strip()) == 64 and token.stat().st_mode & 0o777 == 0o600
    before = token.read_text()
    machine.run("several_nodes_ray.sh", "head", PORT=port)
    assert token.read_text() == before, "a second start keeps the token of the workers"


@pytest.mark.block("how_to/several_nodes_ray.sh", "check", "worker", evidence="checked")
def test_a_worker_joins_the_head(machine: Node, head: str) -> None:
    token = machine.root / "token"
    token.write_text("secret")
    variables = {"PORT": head, "RAY_AUTH_TOKEN_PATH": str(token)}
    done = machine.run("several_nodes_ray.sh", "worker", "127.0.0.1", "--num-gpus=8", **variables)
    assert (done.returncode, done.stdout) == (0, "")
    assert machine.calls == [f"ray start --address=127.0.0.1:{head} --node-ip-address=127.0.0.1 --num-gpus=8"]


@pytest.mark.block("how_to/several_nodes_ray.sh", "check", "head", "worker", evidence="checked")
@pytest.mark.parametrize(
    ("arguments", "variables", "line"),
    [
        (["head"], {"INTERFACE": "ib7"}, "INTERFACE=ib7 has no IPv4 address here: use one of eth0"),
        (["head"], {"PORT": "HEAD"}, "port HEAD of 127.0.0.1 is taken: set PORT, and on the workers too"),
        (["worker"], {}, "which head? several_nodes_ray.sh worker HEAD_ADDRESS"),
        (
            ["worker", "127.0.0.1"],
            {"PORT": "FREE", "WAIT_SECONDS": "1"},
            "no Ray at 127.0.0.1:FREE after 1 s: is the head up, INTERFACE right, the port open?",
        ),
        (
            ["worker", "127.0.0.1"],
            {"PORT": "HEAD", "RAY_AUTH_TOKEN_PATH": "/none"},
            "no token at RAY_AUTH_TOKEN_PATH=/none: copy the head's file there",
        ),
        ([], {}, "'' is no role: several_nodes_ray.sh head, or several_nodes_ray.sh worker HEAD_ADDRESS"),
    ],
    ids=["interface", "port taken", "no head named", "head not reachable", "no token", "no role"],
)
def test_bad_input_is_one_line(
    machine: Node, head: str, arguments: list[str], variables: dict[str, str], line: str
) -> None:
    ports = {"HEAD": head, "FREE": free_port()}
    variables = {key: ports.get(value, value) for key, value in variables.items()}
    for word, port in ports.items():
        line = line.replace(word, port) if word in line and "HEAD_ADDRESS" not in line else line
    done = machine.run("several_nodes_ray.sh", *arguments, **variables)
    assert (done.returncode, done.stdout, machine.calls) == (2, f"several_nodes_ray: {line}\n", [])


def test_no_ray_and_a_ray_too_many(machine: Node) -> None:
    machine.command("ps", "#!/bin/sh\necho 'Sl   raylet'\n")
    assert "a Ray that was left behind still runs" in machine.run("several_nodes_ray.sh", "head").stdout
    (machine.root / "bin" / "ray").unlink()
    done = subprocess.run(
        ["bash", SNIPPETS / "several_nodes_ray.sh", "head"],
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": f"{machine.root / 'bin'}:/usr/bin:/bin", "HOME": str(machine.root)},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("several_nodes_ray: no ray on PATH: enter the container")


@pytest.mark.block("how_to/several_nodes_task.sh", "prepare", "head", "worker", evidence="checked")
@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, "no Slurm allocation: submit several_nodes_slurm.sh with sbatch"),
        (
            {"SLURM_NODEID": "0", "SLURM_NTASKS": "16", "SLURM_NNODES": "2"},
            "needs one task a node",
        ),
        (
            {"SLURM_NODEID": "0", "SLURM_NTASKS": "2", "SLURM_NNODES": "2", "RUN_DIR": "/none"},
            "RUN_DIR=/none is no",
        ),
    ],
    ids=["no allocation", "several tasks a node", "no shared folder"],
)
def test_a_task_in_the_wrong_place_is_one_line(machine: Node, variables: dict[str, str], line: str) -> None:
    done = machine.run("several_nodes_task.sh", "true", **variables)
    assert done.returncode == 2
    assert done.stdout.startswith(f"several_nodes_task: {line}") and done.stdout.count("\n") == 1


@pytest.mark.block("how_to/several_nodes_slurm.sh", "resources", "run", evidence="checked")
@pytest.mark.parametrize(
    ("container", "starter"), [("apptainer", "run_in_a_container_apptainer.sh"), ("docker", "run_in_a_container.sh")]
)
def test_what_each_node_starts(machine: Node, container: str, starter: str) -> None:
    machine.command("srun", SRUN)
    for name in ("several_nodes_slurm.sh", "several_nodes_task.sh"):
        shutil.copy(SNIPPETS / name, machine.root)
    (machine.root / starter).write_text('#!/bin/sh\necho "$*" >>"$CALLS"\n')
    (machine.root / starter).chmod(0o755)
    variables = {
        "SLURM_JOB_ID": "7",
        "SLURM_NNODES": "2",
        "SLURM_SUBMIT_DIR": str(machine.root),
        "SLURM_CPUS_ON_NODE": "96",
    }
    more = {
        "CONTAINER": container,
        "NCCL_IB_TC": "96",
        "INTERFACE": "ib0",
        "UNRELATED": "1",
    }
    done = machine.run(
        machine.root / "several_nodes_slurm.sh", "image", "bash", "grpo.sh", "a=[1, 2]", **variables, **more
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert machine.calls[0] == "srun --ntasks-per-node=1 --cpu-bind=none"
    for number, call in enumerate(machine.calls[1:]):
        assert call.startswith("image env ")
        assert call.endswith(f" bash {machine.root}/several_nodes_task.sh bash grpo.sh a=[1, 2]")
        assert set(call.split(" bash ")[0].split()[2:]) == {
            f"SLURM_NODEID={number}",
            "SLURM_NNODES=2",
            "SLURM_NTASKS=2",
            "SLURM_JOB_ID=7",
            "SLURM_CPUS_ON_NODE=96",
            f"RUN_DIR={machine.root}/ray-7",
            "GPUS=8",
            "NCCL_IB_TC=96",
            "INTERFACE=ib0",
        }
    assert len(machine.calls) == 3
    assert not (machine.root / "ray-7").exists()


@pytest.mark.block("how_to/several_nodes_slurm.sh", "run", evidence="checked")
@pytest.mark.parametrize(
    ("arguments", "variables", "line"),
    [
        (["image", "true"], {}, "no Slurm allocation: sbatch several_nodes_slurm.sh IMAGE COMMAND..."),
        (["image"], {"SLURM_JOB_ID": "7"}, "which image and command? sbatch several_nodes_slurm.sh IMAGE COMMAND..."),
        (["i", "c"], {"SLURM_JOB_ID": "7", "CONTAINER": "podman"}, "CONTAINER=podman is unknown: apptainer or docker"),
        (
            ["i", "true"],
            {"SLURM_JOB_ID": "7", "SLURM_SUBMIT_DIR": "/none"},
            "no /none/run_in_a_container_apptainer.sh: call sbatch in the folder that holds it",
        ),
    ],
)
def test_a_bad_submission_is_one_line(
    machine: Node, arguments: list[str], variables: dict[str, str], line: str
) -> None:
    done = machine.run("several_nodes_slurm.sh", *arguments, **variables)
    assert (done.returncode, done.stdout) == (2, f"several_nodes_slurm: {line}\n")


@pytest.mark.block("how_to/several_nodes_run.py", "guard", evidence="checked")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["true"], "several_nodes_run: no Ray at auto (Could not find any running Ray instance."),
        ([], "several_nodes_run.py: error: which command?"),
    ],
    ids=["no Ray", "no command"],
)
def test_without_a_cluster_it_is_one_line(tmp_path: Path, arguments: list[str], line: str) -> None:
    pytest.importorskip("ray")
    command = [sys.executable, str(SNIPPETS / "several_nodes_run.py"), "--nodes", "2", "--gpus", "8", *arguments]
    env = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")} | {
        "RAY_TMPDIR": str(tmp_path)
    }
    alone = ["unshare", "--pid", "--fork", "--mount-proc"]  # Ray looks for itself among all processes
    if subprocess.run([*alone, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no process namespace can be made here, and another Ray may run")
    done = subprocess.run([*alone, *command], stderr=subprocess.PIPE, text=True, env=env, timeout=60)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(line)
    assert "Traceback" not in done.stderr


def manifest() -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((SNIPPETS / "several_nodes_kuberay.yaml").read_text())


def refused(job: Any) -> list[str]:
    """What KubeRay's schema refuses; unknown names too, as a server does that validates strictly."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "tests" / "support" / "kuberay_rayjob.json").read_text())["spec"]
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(job["spec"])]


@pytest.mark.block("how_to/several_nodes_kuberay.yaml", "job", "head", "workers", evidence="checked")
def test_kuberay_accepts_the_job_and_it_asks_for_what_verl_needs() -> None:
    job = manifest()
    assert (job["apiVersion"], job["kind"], refused(job)) == ("ray.io/v1", "RayJob", [])
    cluster = job["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    (pod,) = workers["template"]["spec"]["containers"]
    (head,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    assert workers["replicas"] == workers["minReplicas"] == workers["maxReplicas"] == 2
    limits = pod["resources"]["limits"]
    assert limits == pod["resources"]["requests"], "whole nodes, not overcommitted"
    assert limits["amd.com/gpu"] == 8 and not any("nvidia" in name for name in limits)
    assert int(limits["cpu"]) >= 3 * limits["amd.com/gpu"], "verl takes three for each"
    assert "amd.com/gpu" not in head["resources"]["limits"]
    assert "--nodes 2 --gpus 8 " in job["spec"]["entrypoint"] and "trainer.nnodes=2" in job["spec"]["entrypoint"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert pod["env"] == head["env"] and {"name": "GPUS", "value": "8"} in pod["env"]
    names = {item["name"] for item in workers["template"]["spec"]["volumes"]}
    assert {item["name"] for item in pod["volumeMounts"]} == names == {"shared", "shm"}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["rayClusterSpec", "workerGroupSpec"], [], "'workerGroupSpec' was unexpected"),
        (["rayClusterSpec", "workerGroupSpecs", 0, "replicas"], "2", "'2' is not of type 'integer'"),
        (["rayClusterSpec", "headGroupSpec", "rayStartParams", "num-gpus"], 0, "0 is not of type 'string'"),
        (["rayClusterSpec", "authOptions", "mode"], "secret", "'secret' is not one of"),
        (["rayClusterSpec", "headGroupSpec", "template", "spec", "containers", 0, "name"], None, "None is not of type"),
    ],
    ids=["unknown field", "replicas as text", "number for ray start", "unknown mode", "no name"],
)
def test_kuberays_schema_refuses(path: list[str | int], value: object, message: str) -> None:
    job = copy.deepcopy(manifest())
    inner = job["spec"]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert message in "\n".join(refused(job))
