"""Run a training command, end it within a minute when its vLLM is gone, and leave nothing of it behind.

    python3 guard.py python3 -m verl.trainer.main_ppo key=value ...

Exit codes: the command's own; 2 if the preflight found a problem; 3 if the guard ended the run.
It sees the processes of this node that the command started, with their Ray; not a cluster that was there before.
"""

# [start:imports]
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import preflight
import psutil

# [end:imports]

ENDED = 3
PATIENCE = float(os.environ.get("GUARD_PATIENCE", "30"))  # seconds that verl gets to end the run by itself
SYNC_LIMIT = float(os.environ.get("GUARD_SYNC_LIMIT", "600"))  # seconds that one weight sync may take
SET_CHILD_SUBREAPER = 36  # prctl
ENGINE = "VLLM::"  # vLLM's processes name themselves VLLM::EngineCore, VLLM::Worker_TP0, ...
SYNC_SOCKET = "/rl-colocate-zmq-"  # verl's actor opens it for the time of one weight sync
FAULT = re.compile(r"\((?:EngineCore|Worker)[^)]*\) ERROR.*?\] ?(?P<said>\w*(?:Error|Exception)\b.*)")


# [start:seen]
class Seen:
    """What the run has on this node: its processes, its engines, and the files that die with it."""

    def __init__(self) -> None:
        self.engines: dict[psutil.Process, str] = {}
        self.files: set[Path] = set()
        self.syncs: dict[Path, float] = {}

    def look(self) -> None:
        """Look at all processes of the run; those of a Ray that it started are among them."""
        sockets = bound_sockets()
        now, syncs = time.monotonic(), {}
        for process in psutil.Process().children(recursive=True):
            try:
                name = process.name()
                if name.startswith(ENGINE):
                    self.engines[process] = name
                mine = files_of(process.pid, sockets)
            except (psutil.Error, OSError):
                continue  # it ended meanwhile
            self.files |= mine
            syncs.update({file: self.syncs.get(file, now) for file in mine if SYNC_SOCKET in str(file)})
        self.syncs = {file: since for file, since in syncs.items() if file.exists()}

    def lost_engine(self) -> str | None:
        """The name of a process of vLLM that is not there any more."""
        for process, name in self.engines.items():
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return f"{name} (process {process.pid})"
        return None

    def longest_sync(self) -> float:
        """Seconds since the oldest weight sync began that has not ended."""
        return max((time.monotonic() - since for since in self.syncs.values()), default=0.0)


def bound_sockets() -> dict[str, str]:
    """Unix sockets that have a path, by inode."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return {row[6]: row[7] for row in rows if len(row) == 8 and row[7].startswith("/")}


def files_of(pid: int, sockets: dict[str, str]) -> set[Path]:
    """Shared memory and sockets of one process."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    found = set(re.findall(r"/dev/shm/[^\s]+(?=\n)", maps))
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = str(link.readlink())
        if target.startswith("socket:[") and target[8:-1] in sockets:
            found.add(sockets[target[8:-1]])
    return {Path(name) for name in found}


# [end:seen]


# [start:watch]
class Output(threading.Thread):
    """Hands the output of the run on, and keeps the first error that vLLM printed."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.stream, self.fault = stream, ""

    def run(self) -> None:
        """Read until the last process of the run has closed its output."""
        for line in self.stream:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            if not self.fault and (found := FAULT.search(line.decode(errors="replace"))):
                self.fault = found["said"].strip()


def watch(run: subprocess.Popen[bytes], seen: Seen, output: Output) -> str | None:
    """Wait for the end of the run; the reason if it has to be ended."""
    lost_since = None
    while run.poll() is None:
        time.sleep(1)
        seen.look()
        now = time.monotonic()
        said = f", which said: {output.fault}" if output.fault else ""
        lost = seen.lost_engine()
        lost_since = (lost_since or now) if lost else None
        if lost_since and now - lost_since > PATIENCE:
            return f"{lost} of the rollout is gone and the trainer still waits for it{said}"
        if seen.longest_sync() > (PATIENCE if output.fault else SYNC_LIMIT):
            return (
                f"a weight sync has not ended after {seen.longest_sync():.0f} s: vLLM does not take the weights{said}"
            )
    return None


# [end:watch]


# [start:clean]
def end_all(seen: Seen) -> None:
    """End every process that the run started, and remove their sockets and shared memory."""
    seen.look()
    for stop, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0)):
        left = psutil.Process().children(recursive=True)
        for process in left:
            if process.is_running():
                process.send_signal(stop)
        psutil.wait_procs(left, timeout=patience)
    for file in seen.files:
        file.unlink(missing_ok=True)


# [end:clean]


def main(command: Sequence[str]) -> int:
    """Check, run, watch and clean up."""
    found = preflight.problems(command)
    for line in found:
        print(f"preflight: {line}", file=sys.stderr)
    if found:
        return 2
    # Daemons of the run become children of this process when their parents end, so that none is lost.
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(128 + signal.SIGTERM))
    seen = Seen()
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    assert run.stdout is not None
    output = Output(run.stdout)
    output.start()
    reason = None
    try:
        reason = watch(run, seen, output)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        end_all(seen)
        output.join(timeout=5)
    if reason:
        print(f"guard: run ended: {reason}", file=sys.stderr)
        return ENDED
    code = run.returncode if run.returncode >= 0 else 128 - run.returncode
    if code and output.fault:
        print(f"guard: exit code {code}, after vLLM said: {output.fault}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
