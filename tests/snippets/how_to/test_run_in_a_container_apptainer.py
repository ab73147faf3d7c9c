"""Apptainer and Slurm: the scripts run with stand-ins for both, which note how they are called."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import GROUP, no_gpus, owners_folders, with_gpus

SNIPPETS = Path(__file__).parents[3] / "snippets" / "how_to"
APPTAINER = "how_to/run_in_a_container_apptainer.sh"
SLURM = "how_to/run_in_a_container_slurm.sh"
WHY_NO_GPUS = no_gpus()
needs_gpus = pytest.mark.skipif(bool(WHY_NO_GPUS), reason=WHY_NO_GPUS)
NOTE = """#!/bin/sh
{ printf 'argument %s\\n' "$@"; env; echo "files $(ulimit -n)"; echo "stack $(ulimit -s)"; } >"$HOME/calls"
"""


class Machine:
    """A home with an image, and a stand-in for apptainer on the path."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "image.sif").touch()
        (home / "bin").mkdir()
        self.command("apptainer", NOTE)

    def command(self, name: str, text: str) -> None:
        """Write an executable that the scripts find first."""
        (self.home / "bin" / name).write_text(text)
        (self.home / "bin" / name).chmod(0o755)

    def run(
        self, *arguments: str, script: str = APPTAINER, before: str = "", gpus: bool = True, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script, with the shell commands ``before`` it, such as a limit."""
        path = SNIPPETS.parent / script
        command = ["bash", "-c", f'{before}\nexec "$@"', "bash", str(path), *arguments]
        env = {"PATH": f"{self.home}/bin:/usr/bin:/bin", "HOME": str(self.home), "OPEN_FILES": "1024"} | more
        return subprocess.run(
            with_gpus(*command) if gpus else command, env=env, cwd=self.home, capture_output=True, text=True, timeout=30
        )

    def seen(self) -> list[str]:
        """What the stand-in noted."""
        return (self.home / "calls").read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@needs_gpus
@pytest.mark.block("how_to/run_in_a_container_apptainer.sh", "settings", "run", evidence="checked")
def test_the_command(machine: Machine) -> None:
    done = machine.run("image.sif", "bash", "train.sh")
    assert done.returncode == 0, done.stderr
    home = str(machine.home)
    assert [line.removeprefix("argument ") for line in machine.seen() if line.startswith("argument ")] == [
        "exec",
        "--bind",
        f"{home}/.cache/huggingface",
        "--bind",
        home,
        "--pwd",
        home,
        "--env",
        f"HF_HOME={home}/.cache/huggingface",
        "image.sif",
        "bash",
        "train.sh",
    ]
    assert (machine.home / ".cache" / "huggingface").is_dir()


@needs_gpus
@pytest.mark.block("how_to/run_in_a_container_apptainer.sh", "limits", evidence="checked")
def test_soft_limits_are_raised_to_the_hard_ones(machine: Machine) -> None:
    done = machine.run("image.sif", before="ulimit -S -n 300; ulimit -H -n 4096; ulimit -S -s 4096")
    assert done.returncode == 0, done.stderr
    assert {"files 4096", "stack 65536"} <= set(machine.seen())


@needs_gpus
@pytest.mark.block("how_to/run_in_a_container_apptainer.sh", "limits", evidence="checked")
def test_too_few_open_files(machine: Machine) -> None:
    done = machine.run("image.sif", before="ulimit -n 300", OPEN_FILES="65536")
    assert done.returncode == 2 and not (machine.home / "calls").exists()
    assert done.stderr.endswith(
        "only 300 open files allowed, 65536 wanted: have the hard limit raised, or set OPEN_FILES\n"
    )


@needs_gpus
@pytest.mark.block("how_to/run_in_a_container_apptainer.sh", "devices", evidence="checked")
def test_no_variable_that_hides_gpus_goes_into_the_container(machine: Machine) -> None:
    done = machine.run("image.sif", ROCR_VISIBLE_DEVICES="2,3", HIP_VISIBLE_DEVICES="0", CUDA_VISIBLE_DEVICES="2,3")
    assert done.returncode == 0, done.stderr
    assert machine.seen(), "the container was started"
    assert not any("VISIBLE_DEVICES" in line for line in machine.seen())


@needs_gpus
@pytest.mark.block("how_to/run_in_a_container_apptainer.sh", "check", evidence="checked")
@pytest.mark.parametrize(
    ("arguments", "changes", "says"),
    [
        (["none.sif"], {}, "no image none.sif: build it with apptainer build none.sif run_in_a_container.def"),
        (["image.sif"], {"DATA": "/no/data"}, "no folder DATA=/no/data"),
        (["image.sif"], {"PATH": "/usr/bin:/bin"}, "apptainer is not there: load its module, or install it"),
    ],
)
def test_what_is_missing_is_one_line(machine: Machine, arguments: list[str], changes: Any, says: str) -> None:
    done = machine.run(*arguments, **changes)
    assert (done.returncode, done.stderr) == (2, f"run_in_a_container_apptainer: {says}\n")


@pytest.mark.block("how_to/run_in_a_container_apptainer.sh", "check", evidence="checked")
@pytest.mark.skipif(Path("/dev/kfd").exists(), reason="there is a /dev/kfd here")
def test_no_gpu_device(machine: Machine) -> None:
    done = machine.run("image.sif", gpus=False)
    assert done.returncode == 2 and done.stderr.startswith("run_in_a_container_apptainer: no /dev/kfd: ")


@needs_gpus
@pytest.mark.block("how_to/run_in_a_container_apptainer.sh", "check", evidence="checked")
@pytest.mark.parametrize(("group", "code"), [(GROUP, 0), (GROUP + 1, 2)])
def test_the_user_must_be_in_the_devices_group(tmp_path: Path, group: int, code: int) -> None:
    for folder in [tmp_path, *owners_folders(tmp_path)]:
        folder.chmod(0o777)
    machine = Machine(tmp_path)
    script = tmp_path / "start.sh"
    script.write_bytes((SNIPPETS.parent / APPTAINER).read_bytes())
    someone = ["setpriv", "--reuid=65534", "--regid=65534", f"--groups={group}", "bash", str(script), "image.sif"]
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "OPEN_FILES": "1024"}
    done = subprocess.run(with_gpus(*someone), env=env, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stderr
    assert (machine.home / "calls").exists() == (code == 0)
    if code:
        assert "you may not open /dev/kfd: join its group, " in done.stderr


@pytest.mark.block("how_to/run_in_a_container_slurm.sh", "resources", evidence="checked")
def test_the_resources_are_options_of_sbatch() -> None:
    lines = (SNIPPETS.parent / SLURM).read_text().splitlines()
    options = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")]
    first_command = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert len(options) == 8
    assert all(number < first_command for number, line in enumerate(lines) if line.startswith("#SBATCH")), (
        "else ignored"
    )
    known = {"job-name", "nodes", "ntasks", "gpus-per-node", "exclusive", "mem", "time", "output"}
    assert {re.fullmatch(r"--([a-z-]+)(=\S+)?", option)[1] for option in options} == known  # type: ignore[index]


@pytest.mark.block("how_to/run_in_a_container_slurm.sh", "run", evidence="checked")
def test_srun_starts_the_neighbour_in_the_folder_of_sbatch(machine: Machine) -> None:
    machine.command("srun", NOTE)
    start = machine.home / "run_in_a_container_apptainer.sh"
    start.write_text("")
    start.chmod(0o755)
    variables = {"SLURM_SUBMIT_DIR": str(machine.home), "SLURM_CPUS_ON_NODE": "96"}
    done = machine.run("image.sif", "bash", "train.sh", script=SLURM, gpus=False, **variables)
    assert done.returncode == 0, done.stderr
    arguments = [line.removeprefix("argument ") for line in machine.seen() if line.startswith("argument ")]
    assert arguments == [
        "--ntasks=1",
        "--cpus-per-task=96",
        "--kill-on-bad-exit=1",
        str(start),
        "image.sif",
        "bash",
        "train.sh",
    ]


@pytest.mark.block("how_to/run_in_a_container_slurm.sh", "run", evidence="checked")
@pytest.mark.parametrize(
    ("variables", "says"),
    [({}, "start this with sbatch"), ({"SLURM_SUBMIT_DIR": "/nowhere"}, "call sbatch in the folder")],
)
def test_started_in_the_wrong_way(machine: Machine, variables: Any, says: str) -> None:
    done = machine.run("image.sif", script=SLURM, gpus=False, **variables)
    assert done.returncode != 0 and says in done.stderr and len(done.stderr.splitlines()) == 1
