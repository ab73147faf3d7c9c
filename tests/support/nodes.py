"""Machines of a small cluster on one machine: network, process and mount namespaces of their own.

A node has its own address, host name, ``/tmp``, ``/dev`` and ``/run``, so that ``ray start`` or ``slurmd`` runs there
as on a machine of its own; all nodes see the same files otherwise.  All that runs in them ends with the test process.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from guide.doctest.processes import _die_with_parent as die_with_parent

NETWORK = "10.77.0"
OWN = ("/tmp", "/dev/shm", "/run")
PREPARE = """
set -e
mount -t tmpfs none /mnt
i=0
for shared in "$@"; do mkdir "/mnt/$i"; mount --bind "$shared" "/mnt/$i"; i=$((i + 1)); done
mkdir /mnt/dev
for device in null zero full random urandom tty; do cp -a "/dev/$device" /mnt/dev/; done
ln -s /proc/self/fd /mnt/dev/fd
mkdir /mnt/dev/shm
for device in $DEVICES; do : >"/mnt/dev/$device"; done
mount --bind /mnt/dev /dev
for own in $OWN; do mount -t tmpfs -o mode=1777 none "$own"; done
i=0
for shared in "$@"; do mkdir -p "$shared"; mount --bind "/mnt/$i" "$shared"; i=$((i + 1)); done
umount -l /mnt
echo "$HOSTS" >/run/hosts
mount --bind /run/hosts /etc/hosts
hostname "$NAME"
: >/run/ready
exec bash -c 'while :; do sleep 3600 & wait $!; done'  # a first process that takes in what others leave, as init does
"""


def missing() -> str:
    """Why no nodes can be made here, or an empty string."""
    for tool in ("unshare", "nsenter", "ip", "mount"):
        if not shutil.which(tool):
            return f"{tool} is not installed (util-linux, iproute2)"
    probe = "mount -t tmpfs none /mnt && ip link add switch type bridge && ip link add here type veth peer name there"
    attempt = subprocess.run(
        ["unshare", "--net", "--pid", "--mount", "--uts", "--fork", "--mount-proc", "sh", "-c", probe],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return (
        "" if attempt.returncode == 0 else f"no namespaces can be made here: {attempt.stderr.strip().splitlines()[-1]}"
    )


def _child(parent: int) -> int:
    """The only child of ``parent``, waited for at most 10 s."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.02)
    raise TimeoutError(f"process {parent} started no child")


class Node:
    """One machine: run a command on it, or switch it off."""

    def __init__(self, name: str, number: int, holder: subprocess.Popen[bytes]) -> None:
        self.name, self.address = name, f"{NETWORK}.{number}"
        self.holder = holder
        self.pid = _child(holder.pid)

    def command(self, command: Sequence[str | Path]) -> list[str]:
        """``command`` as it must be started to run on this node."""
        enter = ["nsenter", "-t", str(self.pid), "--net", "--pid", "--mount", "--uts", "--ipc", "--wdns=/", "--"]
        return [*enter, *map(str, command)]

    def start(
        self, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start ``command`` here, with its output in ``log``."""
        with log.open("ab") as output:
            return subprocess.Popen(
                self.command(command),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=env,
                preexec_fn=die_with_parent,
            )

    def run(
        self, command: Sequence[str | Path], *, timeout: float = 60, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``command`` here; its output, standard error merged in, and its exit code."""
        log = subprocess.PIPE
        return subprocess.run(
            self.command(command),
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=env,
            timeout=timeout,
            preexec_fn=die_with_parent,
        )

    def processes(self) -> list[str]:
        """Commands that run here, without the one that holds the node."""
        done = self.run(["ps", "-e", "-o", "pid=,stat=,args="])
        rows = [line.split(None, 2) for line in done.stdout.splitlines()]
        own = ("sleep 3600", "ps -e -o")
        return [row[2] for row in rows if row[0] != "1" and row[1][0] != "Z" and not row[2].startswith(own)]

    def power_off(self) -> None:
        """Take the machine from the network, so that nobody is told, and end every process here."""
        self.run(["ip", "link", "set", "eth0", "down"])
        self.holder.send_signal(signal.SIGKILL)  # --kill-child takes the node's first process, and with it all others
        self.holder.wait()


class Nodes:
    """Several machines on one network; a context manager."""

    def __init__(self, *names: str, shared: Sequence[Path] = (), devices: Sequence[str] = ()) -> None:
        """``shared`` folders are seen under ``/tmp`` too; ``devices`` are empty files that stand in ``/dev``."""
        self.devices = " ".join(devices)
        self.names, self.shared = names, [str(path) for path in shared if path.is_relative_to("/tmp")]
        self.holders: list[subprocess.Popen[bytes]] = []

    def _hold(self, *command: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        holder = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.holders.append(holder)
        return holder

    def __enter__(self) -> list[Node]:
        switch = _child(self._hold("unshare", "--net", "--fork", "--kill-child", "sleep", "infinity").pid)
        enter = ["nsenter", "-t", str(switch), "--net"]
        subprocess.run([*enter, "ip", "link", "add", "switch", "type", "bridge"], check=True)
        subprocess.run([*enter, "ip", "link", "set", "switch", "up"], check=True)
        hosts = "\n".join(f"{NETWORK}.{number} {name}" for number, name in enumerate(self.names, 1))
        entered = []
        for number, name in enumerate(self.names, 1):
            own = ["--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--mount-proc", "--kill-child"]
            holder = self._hold(
                "unshare",
                *own,
                "sh",
                "-c",
                PREPARE,
                "node",
                *self.shared,
                env={
                    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                    "NAME": name,
                    "OWN": " ".join(OWN),
                    "DEVICES": self.devices,
                    "HOSTS": f"127.0.0.1 localhost\n{hosts}",
                },
            )
            node = Node(name, number, holder)
            end = time.monotonic() + 10  # until the node's first process is past PREPARE
            while not Path(f"/proc/{node.pid}/root/run/ready").exists():
                if holder.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the node {name} could not be made")
                time.sleep(0.02)
            port = f"to-{name}"[:15]
            link = ["link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(node.pid)]
            subprocess.run([*enter, "ip", *link], check=True)
            subprocess.run([*enter, "ip", "link", "set", port, "master", "switch", "up"], check=True)
            for words in ("link set lo up", f"addr add {node.address}/24 dev eth0", "link set eth0 up"):
                node.run(["ip", *words.split()]).check_returncode()
            node.run(["ip", "route", "add", "default", "dev", "eth0"]).check_returncode()
            entered.append(node)
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for holder in reversed(self.holders):
            holder.kill()
            holder.wait()
