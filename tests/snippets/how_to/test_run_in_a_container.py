"""Starting containers: podman really runs with the script's options; docker is recorded; every refusal is one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import GROUP, Podman, no_gpus, no_podman, owners_folders, with_gpus
from tests.support.stand_ins import Machine

SNIPPETS = Path(__file__).parents[3] / "snippets" / "how_to"
SCRIPT = SNIPPETS / "run_in_a_container.sh"
WHY_NO_GPUS, WHY_NO_PODMAN = no_gpus(), no_podman()
LOOK = """
df -k /dev/shm | tail -1; ulimit -l; ulimit -s; ulimit -n; id -G
grep -E '^(CapEff|Seccomp):' /proc/self/status; stat -c '%n %g' /dev/kfd /dev/dri/renderD128
echo "$HF_HOME"; pwd; touch /root/.cache/huggingface/seen
"""
needs_gpus = pytest.mark.skipif(bool(WHY_NO_GPUS), reason=WHY_NO_GPUS)


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    """A podman with a stand-in image.

    Its folder has a short path: below pytest's own, the path of conmon's socket grows beyond what a socket may have,
    and each start of a container then waits 20 s for it.
    """
    if WHY_NO_PODMAN:
        pytest.skip(WHY_NO_PODMAN)
    with tempfile.TemporaryDirectory(prefix="p-", ignore_cleanup_errors=True) as folder:
        podman = Podman(Path(folder))
        if why := podman.refuses():
            pytest.skip(why)
        yield podman
        podman.run("podman", "system", "reset", "--force")


@pytest.mark.block("how_to/run_in_a_container.sh", "settings", "options", "run")
def test_what_a_process_gets_in_the_container(podman: Podman, evidence: Any) -> None:
    variables = {"SHM": "1g", "OPEN_FILES": str(podman.open_files), "LOCKED_MEMORY": str(8 << 20), "STACK": "16777216"}
    evidence.passed(engine="podman", image="busybox", devices="copies of /dev/null", **variables)
    data = podman.root / "data"
    data.mkdir()
    ours = {"ENGINE": "podman", "DATA": str(data), "HF_HOME": str(podman.root / "cache"), **variables}
    done = podman.run(SCRIPT, "localhost/standin:1", "sh", "-c", LOOK, **ours)
    assert (done.returncode, done.stderr) == (0, "")
    shm, locked, stack, files, groups, *rest = done.stdout.splitlines()
    assert shm.split()[1] == str(1 << 20)
    assert (locked, stack, files) == (str(8 << 10), str(16 << 10), variables["OPEN_FILES"])
    assert str(GROUP) in groups.split()
    capabilities, seccomp, kfd, render, home, folder = rest
    assert int(capabilities.split()[1], 16) >> 19 & 1, "CAP_SYS_PTRACE"
    assert seccomp.split() == ["Seccomp:", "0"]
    assert (kfd, render) == (f"/dev/kfd {GROUP}", f"/dev/dri/renderD128 {GROUP}")
    assert (home, folder) == ("/root/.cache/huggingface", str(data))
    assert (podman.root / "cache" / "seen").is_file(), "the cache is the host's"


def test_without_the_options_none_of_it_is_there(podman: Podman) -> None:
    look = "df -k /dev/shm | tail -1; id -G; grep CapEff /proc/self/status; ls /dev"
    files = f"nofile={podman.open_files}:{podman.open_files}"  # podman's default is more than this machine may allow
    done = podman.run(
        "podman", "run", "--rm", "--ulimit", files, "--entrypoint", "sh", "localhost/standin:1", "-c", look
    )
    assert done.returncode == 0, done.stderr
    shm, groups, capabilities, *devices = done.stdout.splitlines()
    assert shm.split()[1] == "64000", "podman's own 64 MB"
    assert str(GROUP) not in groups.split()
    assert not int(capabilities.split()[1], 16) >> 19 & 1
    assert "kfd" not in devices and "dri" not in devices


def test_shm_size_and_the_hosts_ipc_exclude_each_other(podman: Podman) -> None:
    done = podman.run("podman", "run", "--rm", "--ipc", "host", "--shm-size", "1g", "localhost/standin:1")
    assert done.returncode == 125
    assert "cannot set shmsize when running in the {host } IPC Namespace" in done.stderr


class Recorded(Machine):
    """A machine with a stand-in for docker, which notes the arguments of its last call."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        program = f'[ "$1" != info ] || exit "${{INFO:-0}}"; printf "%s\\n" "$@" >{root}/calls'
        self.command("docker", f"#!/bin/sh\n{program}\n")

    def run(self, *arguments: str, gpus: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        command = [str(SCRIPT), *arguments]
        env = {"PATH": f"{self.root}/bin:/usr/bin:/bin", "HOME": str(self.root), "DATA": str(self.root), **more}
        return subprocess.run(
            with_gpus(*command) if gpus else command,
            env=env,
            capture_output=True,
            text=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


@needs_gpus
@pytest.mark.block("how_to/run_in_a_container.sh", "settings", "options", "run", evidence="checked")
def test_the_command_for_docker(recorded: Recorded) -> None:
    done = recorded.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert recorded.calls == [
        "run",
        "--rm",
        "--network",
        "host",
        "--entrypoint",
        "",
        "--device",
        "/dev/kfd",
        "--device",
        "/dev/dri",
        "--group-add",
        str(GROUP),
        "--shm-size",
        "2048g",
        "--ulimit",
        "memlock=-1:-1",
        "--ulimit",
        "stack=67108864:67108864",
        "--ulimit",
        "nofile=1048576:1048576",
        "--cap-add",
        "SYS_PTRACE",
        "--security-opt",
        "seccomp=unconfined",
        "--volume",
        f"{recorded.root}/.cache/huggingface:/root/.cache/huggingface",
        "--env",
        "HF_HOME=/root/.cache/huggingface",
        "--volume",
        f"{recorded.root}:{recorded.root}",
        "--workdir",
        str(recorded.root),
        "verl-rocm:0.9.1",
        "bash",
    ]
    assert (recorded.root / ".cache" / "huggingface").is_dir(), "else docker makes it, as root"


@needs_gpus
@pytest.mark.block("how_to/run_in_a_container.sh", "check", evidence="checked")
@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("Verl:1", "'Verl:1' is no image name: write it as repository/name:tag"),
        ("verl rocm:1", "is no image name"),
        ("verl:1:2", "is no image name"),
        ("verl@sha256:12", "is no image name"),
        ("-it", "is no image name"),
        ("verl-rocm", "'verl-rocm' has no tag, so it would be another image tomorrow: add :tag or @sha256:digest"),
        ("localhost:5000/verl", "has no tag"),
    ],
)
def test_a_bad_image_name(recorded: Recorded, image: str, says: str) -> None:
    done = recorded.run(image)
    assert (done.returncode, len(done.stderr.splitlines()), recorded.calls) == (2, 1, [])
    assert done.stderr.startswith("run_in_a_container: ") and says in done.stderr


@needs_gpus
@pytest.mark.parametrize("image", ["verl:1", "host:5000/a/verl-rocm:v0.9.1_x", f"a/b@sha256:{'0a' * 32}"])
def test_a_good_image_name(recorded: Recorded, image: str) -> None:
    assert recorded.run(image, "true").returncode == 0
    assert recorded.calls[-2:] == [image, "true"]


@pytest.mark.block("how_to/run_in_a_container.sh", "check", evidence="checked")
@pytest.mark.skipif(Path("/dev/kfd").exists(), reason="there is a /dev/kfd here")
def test_no_gpu_device(recorded: Recorded) -> None:
    done = recorded.run(gpus=False)
    assert (done.returncode, recorded.calls) == (2, [])
    assert done.stderr.startswith("run_in_a_container: no /dev/kfd: load the amdgpu driver on this host")


@needs_gpus
@pytest.mark.block("how_to/run_in_a_container.sh", "check", evidence="checked")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ENGINE": "nerdctl"}, "nerdctl is not there: install it, or set ENGINE=docker or ENGINE=podman"),
        ({"INFO": "1"}, "docker does not answer: start its service, or join its group and log in again"),
        ({"DATA": "/no/data"}, "no folder DATA=/no/data"),
    ],
)
def test_what_is_missing_is_one_line(recorded: Recorded, changes: Any, says: str) -> None:
    done = recorded.run(**changes)
    assert (done.returncode, done.stderr, recorded.calls) == (2, f"run_in_a_container: {says}\n", [])


@needs_gpus
@pytest.mark.block("how_to/run_in_a_container.sh", "options", evidence="checked")
@pytest.mark.parametrize(("joined", "code"), [(True, 0), (False, 2)])
def test_rootless_podman_needs_the_users_own_group(recorded: Recorded, joined: bool, code: int) -> None:
    recorded.command("podman", f'#!/bin/sh\n[ "$1" = info ] || printf "%s\\n" "$@" >{recorded.root}/calls')
    recorded.root.chmod(0o777)
    for folder in owners_folders(recorded.root):
        folder.chmod(folder.stat().st_mode | 0o755)
    groups = f"--groups={GROUP}" if joined else "--clear-groups"
    env = {"PATH": f"{recorded.root}/bin:/usr/bin:/bin", "HOME": str(recorded.root), "ENGINE": "podman"}
    someone = ["setpriv", "--reuid=65534", "--regid=65534", groups]
    script = shutil.copy(SCRIPT, recorded.root)
    done = subprocess.run(with_gpus(*someone, script), env=env, capture_output=True, text=True, cwd=recorded.root)
    assert done.returncode == code, done.stderr
    if joined:
        assert recorded.calls[recorded.calls.index("--group-add") + 1] == "keep-groups"
    else:
        assert done.stderr.startswith("run_in_a_container: you may not open /dev/kfd: join its group, ")
        assert not recorded.calls


@pytest.mark.parametrize("script", sorted(SNIPPETS.glob("run_in_a_container*.sh")), ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    if not (shellcheck := shutil.which("shellcheck")):
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([shellcheck, script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert os.access(script, os.X_OK)
