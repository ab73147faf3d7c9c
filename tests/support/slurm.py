"""A real Slurm on the nodes of a test: munge, slurmctld and slurmd from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.nodes import Node

PROGRAMS = ("munged", "sbatch", "slurmctld", "slurmd", "srun")
PACKAGES = "apt-get install --no-install-recommends slurmctld slurmd slurm-client munge"
MUNGE = """
mkdir -p /run/munge /run/slurmd && chmod 755 /run/munge
cp "$1" /run/munge.key && chmod 400 /run/munge.key
exec munged --force --key-file /run/munge.key --socket /run/munge/munge.socket.2 --pid-file /run/munge/pid \\
    --seed-file /run/munge/seed --log-file /run/munge/log
"""
# No cgroups: the nodes share this machine's.  Processes of a step are found by their ancestors instead.
CONFIGURATION = """
ClusterName=guide
SlurmctldHost={head.name}({head.address})
SlurmUser=root
SlurmdUser=root
StateSaveLocation=/run/slurmctld
SlurmdSpoolDir=/run/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MinJobAge=600
KillWait=20
SlurmdParameters=config_overrides
GresTypes=gpu
PropagateResourceLimits=NONE
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Which of Slurm's programs are not here, as a reason to skip; empty if all are."""
    absent = [name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]
    return f"{', '.join(absent)} not installed: {PACKAGES}" if absent else ""


class Slurm:
    """Slurm over ``nodes``, each with ``gpus`` GPUs by name; the first node is the controller too."""

    def __init__(self, nodes: Sequence[Node], folder: Path, gpus: int = 1) -> None:
        self.head, self.folder = nodes[0], folder
        folder.mkdir(parents=True, exist_ok=True)
        self.env = {"SLURM_CONF": str(folder / "slurm.conf")}
        key = folder / "munge.key"
        key.write_bytes(os.urandom(64))
        names = [f"NodeName={n.name} NodeAddr={n.address} CPUs=8 RealMemory=1000 Gres=gpu:{gpus}" for n in nodes]
        (folder / "slurm.conf").write_text("\n".join([CONFIGURATION.format(head=self.head), *names, ""]))
        files = ["/dev/zero", "/dev/null"][:gpus]  # any device file will do: no task opens it
        (folder / "gres.conf").write_text("".join(f"Name=gpu File={file} Flags=amd_gpu_env\n" for file in files))
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        for node in nodes:
            node.run(["sh", "-c", MUNGE, "munge", key]).check_returncode()
        self.start(self.head, "slurmctld", "-D")
        for node in nodes:
            self.start(node, "slurmd", "-D", "-N", node.name)
        end = time.monotonic() + 30
        while (state := self.run("sinfo", "--noheader", "--format=%D %t").stdout.strip()) != f"{len(nodes)} idle":
            if time.monotonic() > end:
                raise RuntimeError(f"Slurm did not come up: {state}; see {folder}")
            time.sleep(0.2)

    def start(self, node: Node, *command: str) -> None:
        """Start a daemon of Slurm."""
        node.start(command, log=self.folder / f"{command[0]}-{node.name}.log", env=self.environment())

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a user's shell on a login node has."""
        path = f"{(more or {}).get('PATH', os.environ['PATH'])}:/usr/sbin:/sbin"
        return {"HOME": os.environ["HOME"], "LANG": "C.UTF-8", **(more or {}), **self.env, "PATH": path}

    def run(
        self, *command: str | Path, timeout: float = 120, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of Slurm on the head node, as a user would on a login node."""
        return self.head.run(command, timeout=timeout, env=self.environment(env))

    def state(self, job: str) -> dict[str, str]:
        """What ``scontrol`` says of a job."""
        words = self.run("scontrol", "--oneliner", "show", "job", job).stdout.split()
        return dict(word.split("=", 1) for word in words if "=" in word)
