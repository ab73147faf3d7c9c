"""The page's Slurm script, submitted for real: slurmctld and two slurmd, each on a node with an address of its own.

Replaced: `apptainer`, which here writes down how it was called and runs the command; `/dev/kfd`, an empty file.
Slurm itself, its GPU plugin, Ray and the scripts are real.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import nodes, slurm
from tests.support.ray_nodes import ROOT, SNIPPETS

pytestmark = pytest.mark.skipif(bool(why := slurm.missing() or nodes.missing()), reason=why)
APPTAINER = """#!/bin/sh
echo "$*" >>"$(dirname "$0")/../apptainer.calls"
while [ "$1" != verl.sif ]; do shift; done
shift
exec "$@"
"""
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
NODES_OF_RAY = """
import os, sys, time, ray
ray.init(logging_level="error")
print("RAY HAS", *sorted(node["NodeManagerHostname"] for node in ray.nodes()), ray.cluster_resources()["GPU"])
print("VISIBLE", [name for name in os.environ if name.endswith("VISIBLE_DEVICES")], flush=True)
time.sleep(float(sys.argv[2]))
sys.exit(int(sys.argv[1]))
"""


@dataclass
class Site:
    """Two nodes with Slurm, and the folder that a user submits from."""

    nodes: list[nodes.Node]
    slurm: slurm.Slurm
    home: Path

    def submit(self, *command: str) -> str:
        """Submit the guide's script; the job's number."""
        path = f"{self.home.parent / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {
            "PATH": path,
            "INTERFACE": "eth0",
            "GPUS": "1",
            "OPEN_FILES": "1024",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        there = ["sh", "-c", 'cd "$0" && exec sbatch --parsable --gpus-per-node=1 several_nodes_slurm.sh verl.sif "$@"']
        submission = self.slurm.run(*there, self.home, *command, env=environment)
        assert submission.returncode == 0, submission.stdout
        return submission.stdout.strip()

    def log(self, job: str) -> str:
        """What the job printed so far."""
        file = self.home / f"verl-{job}.log"
        return file.read_text() if file.exists() else ""

    def wait_for(self, job: str, words: str = "", seconds: float = 120) -> dict[str, str]:
        """Wait until the job has printed ``words``, or has ended; what Slurm says of it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.slurm.state(job)
            if state.get("JobState") in ENDED or (words and words in self.log(job)):
                return state
            time.sleep(0.5)
        raise TimeoutError(f"job {job} did not come to {words or 'its end'}:\n{self.log(job)}")

    def left(self) -> list[str]:
        """Processes and folders that a job left; Slurm's own daemons are none."""
        end = time.monotonic() + 15  # Slurm ends what is left after the job has ended
        own = ("munged", "slurmctld", "slurmd ", ": slurmscriptd", "slurmstepd")
        while True:
            leftovers = [f"{node.name}: {p}" for node in self.nodes for p in node.processes() if not p.startswith(own)]
            leftovers += [str(folder) for folder in self.home.glob("ray-*")]
            for node in self.nodes:
                leftovers += [
                    f"{node.name}: {line}"
                    for line in node.run(["sh", "-c", "ls -d /tmp/ray* 2>/dev/null"]).stdout.split()
                ]
            if not leftovers or time.monotonic() > end:
                return leftovers
            time.sleep(0.5)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A small site."""
    folder = tmp_path_factory.mktemp("slurm")
    home = folder / "home"
    home.mkdir()
    for pattern in ("several_nodes_*", "run_in_a_container*.sh"):
        for file in SNIPPETS.glob(pattern):
            shutil.copy(file, home)
    (home / "verl.sif").touch()
    (home / "nodes_of_ray.py").write_text(NODES_OF_RAY)
    apptainer = folder / "bin" / "apptainer"
    apptainer.parent.mkdir()
    apptainer.write_text(APPTAINER)
    apptainer.chmod(0o755)
    with nodes.Nodes("n1", "n2", shared=[folder, ROOT], devices=["kfd"]) as pair:
        yield Site(pair, slurm.Slurm(pair, folder / "slurm"), home)


def test_slurm_sets_the_variable_that_ray_and_verl_refuse(site: Site) -> None:
    step = site.slurm.run("srun", "-N2", "--gpus-per-node=1", "sh", "-c", "echo $SLURM_NODEID ${ROCR_VISIBLE_DEVICES}")
    assert sorted(line for line in step.stdout.splitlines() if line[:1].isdigit()) == ["0 0", "1 0"]


def test_a_job_over_two_nodes_ends_with_the_code_of_its_command(site: Site) -> None:
    job = site.submit("python3", "nodes_of_ray.py", "7", "0")
    state, log = site.wait_for(job), site.log(job)
    assert (state["JobState"], state["ExitCode"]) == ("FAILED", "7:0"), log
    assert "RAY HAS n1 n2 2.0" in log
    assert "VISIBLE []" in log, "the task took away what Slurm had set"
    calls = (site.home.parent / "apptainer.calls").read_text()
    assert calls.count(f"--bind {site.home}") == calls.count("several_nodes_task.sh") == 2
    assert "SLURM_NODEID=0" in calls and "SLURM_NODEID=1" in calls
    assert site.left() == []


def test_a_cancelled_job_leaves_nothing(site: Site) -> None:
    job = site.submit("python3", "nodes_of_ray.py", "0", "600")
    site.wait_for(job, "VISIBLE")
    site.slurm.run("scancel", job)
    assert site.wait_for(job)["JobState"] == "CANCELLED"
    assert site.left() == []


def test_a_script_without_its_neighbours_is_one_line(site: Site) -> None:
    elsewhere = site.home.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    script = site.home / "several_nodes_slurm.sh"
    done = site.slurm.run("sh", "-c", f"cd {elsewhere} && sbatch --parsable --gpus-per-node=1 {script} verl.sif true")
    job = done.stdout.strip()
    assert site.wait_for(job)["ExitCode"] == "2:0"
    log = (elsewhere / f"verl-{job}.log").read_text()
    absent = f"{elsewhere}/run_in_a_container_apptainer.sh"
    assert log == f"several_nodes_slurm: no {absent}: call sbatch in the folder that holds it\n"
