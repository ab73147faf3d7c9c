"""A real podman with a stand-in image and stand-in GPU devices, for the scripts that start containers.

Real: podman, its OCI runtime, namespaces, mounts, limits, groups, capabilities.  Stand-ins: the image holds busybox
alone, and /dev/kfd and /dev/dri/renderD128 are copies of /dev/null, in a mount namespace of the test.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

GROUP = 4242  # of the stand-in devices; no image has a name for it
APPLETS = ("sh", "cat", "df", "env", "grep", "id", "ls", "pwd", "stat", "tail", "touch")
OWN_DEV = f"""
set -e
mount -t tmpfs -o mode=755 none /mnt
for name in null zero full random urandom tty; do : >/mnt/$name; mount --bind /dev/$name /mnt/$name; done
for name in pts shm mqueue; do [ ! -d /dev/$name ] || {{ mkdir /mnt/$name; mount --rbind /dev/$name /mnt/$name; }}; done
for name in fd stdin stdout stderr ptmx; do [ ! -L /dev/$name ] || cp -P /dev/$name /mnt/$name; done
[ -e /mnt/ptmx ] || ln -s pts/ptmx /mnt/ptmx
mkdir /mnt/dri
for name in kfd dri/renderD128; do mknod -m 660 /mnt/$name c 1 3; chgrp {GROUP} /mnt/$name; done
mount --rbind /mnt /dev
exec "$@"
"""


def with_gpus(*command: str | Path) -> list[str]:
    """``command`` as it must be started to see stand-in GPU devices of the group ``GROUP``; needs root."""
    return ["unshare", "--mount", "sh", "-c", OWN_DEV, "sh", *map(str, command)]


def no_gpus() -> str:
    """Why no stand-in devices can be made here, or an empty string."""
    if not shutil.which("unshare"):
        return "unshare is not installed (util-linux)"
    probe = subprocess.run(with_gpus("stat", "/dev/kfd"), capture_output=True, text=True, timeout=30)
    return "" if probe.returncode == 0 else f"no devices can be made here: {probe.stderr.strip().splitlines()[-1:]}"


def owners_folders(path: Path) -> list[Path]:
    """The folders of this run above ``path``: pytest lets nobody but their owner enter them."""
    return [folder for folder in path.parents if folder.is_relative_to(tempfile.gettempdir())]


class Podman:
    """Podman with a store of its own below ``root``, and an image ``localhost/standin:1``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.open_files = files
        runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
        (root / "containers.conf").write_text(
            f'[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n{runtime}'
        )
        (root / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{root}/store"\nrunroot = "{root}/run"\n'
        )
        (root / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        # Without this one option podman asks for more processes than a machine without CAP_SYS_RESOURCE may have.
        wrapper = root / "bin" / "podman"
        wrapper.parent.mkdir()
        wrapper.write_text(
            f'#!/bin/sh\n[ "$1" != run ] || {{ shift; set -- run --ulimit nproc=32768:32768 "$@"; }}\n'
            f'exec {shutil.which("podman")} "$@"\n'
        )
        wrapper.chmod(0o755)
        self.env = os.environ | {
            "PATH": f"{wrapper.parent}:{os.environ['PATH']}",
            "CONTAINERS_CONF": str(root / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(root / "storage.conf"),
        }
        self._import(root / "image")

    def _import(self, image: Path) -> None:
        """Make the image: busybox, its applets, and an entry point that nobody wants, as vLLM's image has one."""
        for folder in ("bin", "tmp", "dev", "proc", "sys", "etc", "root"):
            (image / folder).mkdir(parents=True)
        shutil.copy(str(shutil.which("busybox")), image / "bin" / "busybox")
        for applet in APPLETS:
            (image / "bin" / applet).symlink_to("busybox")
        archive = shutil.make_archive(str(image), "tar", image)
        policy = ["--signature-policy", str(self.root / "policy.json")]
        change = ["--change", 'ENTRYPOINT ["cat"]', "--change", "ENV PATH=/bin"]
        done = self.run("podman", "import", "--quiet", *policy, *change, archive, "localhost/standin:1")
        if done.returncode:
            raise RuntimeError(f"podman import: {done.stderr.strip()[-300:]}")

    def refuses(self) -> str:
        """Why podman cannot start any container here, or an empty string."""
        files = f"nofile={self.open_files}:{self.open_files}"
        done = self.run(
            "podman", "run", "--rm", "--ulimit", files, "--entrypoint", "sh", "localhost/standin:1", "-c", ":"
        )
        return "" if done.returncode == 0 else f"podman starts no container here: {done.stderr.strip()[-200:]}"

    def run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command that uses this podman, on a machine with stand-in GPUs."""
        return subprocess.run(
            with_gpus(*command),
            env=self.env | more,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            cwd=self.root,
        )


def no_podman() -> str:
    """Why podman cannot be used here, or an empty string."""
    absent = [name for name in ("podman", "busybox") if not shutil.which(name)]
    if absent:
        return f"{' and '.join(absent)} not installed"
    return no_gpus()
