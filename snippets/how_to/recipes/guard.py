"""Run a training command, end it soon after its vLLM is gone, and leave nothing behind.

    python3 guard.py python3 -m verl.trainer.main_ppo key=value ...

Exit code: the command's own; 3 if the guard ended the run; 2 if there is no command.
It sees the processes that the command starts on this node, with a Ray of their own.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

ENDED = 3
PATIENCE = float(os.environ.get("GUARD_PATIENCE", "30"))  # seconds to end by itself
SYNC_LIMIT = float(os.environ.get("GUARD_SYNC_LIMIT", "600"))  # seconds of one sync
SET_CHILD_SUBREAPER = 36  # prctl
ENGINE = "VLLM::"  # how the names of vLLM's processes begin: VLLM::EngineCore
SYNC_SOCKET = "/rl-colocate-zmq-"  # verl's actor has it open during a weight sync
PRINTED_BY_VLLM = rb"\((?:EngineCore|Worker)[^)]*\) ERROR.*?\] ?"
ERROR = re.compile(PRINTED_BY_VLLM + rb"(\w*(?:Error|Exception)\b.*)")


@dataclass
class Run:
    """What the run has had on this node."""

    engines: dict[psutil.Process, str] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)  # its sockets and shared memory
    syncs: dict[Path, float] = field(default_factory=dict)  # now, and since when
    lost_since: float | None = None
    error: str = ""  # the first that vLLM printed

    def look(self) -> None:
        """Look at the processes of the run, those of its Ray included."""
        processes = {child.pid: child for child in children()}
        sockets = [s for s in psutil.net_connections("unix") if s.pid in processes]
        in_use = {Path(s.laddr) for s in sockets if s.laddr.startswith("/")}
        for pid, process in processes.items():
            with suppress(psutil.Error, OSError):  # it may end meanwhile
                if process.name().startswith(ENGINE):
                    self.engines[process] = process.name()
                maps = Path(f"/proc/{pid}/maps").read_text()
                in_use |= set(map(Path, re.findall(r"/dev/shm/\S+(?=\n)", maps)))
        self.files |= in_use
        syncs = [file for file in in_use if SYNC_SOCKET in str(file) and file.exists()]
        self.syncs = {file: self.syncs.get(file, time.monotonic()) for file in syncs}

    # [start:reason]
    def reason_to_end(self) -> str:
        """Why the run must be ended, or nothing."""
        now = time.monotonic()
        error = f", which said: {self.error}" if self.error else ""
        lost = [name for process, name in self.engines.items() if not alive(process)]
        self.lost_since = (self.lost_since or now) if lost else None
        if self.lost_since and now - self.lost_since > PATIENCE:
            return f"{lost[0]} is gone and the trainer still waits for it{error}"
        sync = now - min(self.syncs.values(), default=now)
        if sync > (PATIENCE if self.error else SYNC_LIMIT):
            return f"a weight sync has not ended after {sync:.0f} s{error}"
        return ""

    # [end:reason]

    def copy(self, output: IO[bytes]) -> None:
        """Hand the output on, and keep vLLM's first error."""
        for line in output:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            if not self.error and (match := ERROR.search(line)):
                self.error = match[1].decode(errors="replace").strip()

    # [start:clean]
    def clean(self) -> None:
        """End every process of the run; remove its sockets and shared memory."""
        self.look()
        for number, patience in ((signal.SIGTERM, 2), (signal.SIGKILL, 5)):
            left = children()
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            psutil.wait_procs(left, timeout=patience)
        for file in self.files:
            file.unlink(missing_ok=True)

    # [end:clean]


def children() -> list[psutil.Process]:
    """All processes of the run."""
    return psutil.Process().children(recursive=True)


def alive(process: psutil.Process) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def main(command: list[str]) -> int:
    """Start the command, watch it, and clean up."""
    if not command or not shutil.which(command[0]):
        print("guard: no such command: write it behind guard.py", file=sys.stderr)
        return 2
    # A daemon becomes a child of this process when its parent ends: none gets lost.
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    run, reason = Run(), ""
    trainer = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    output = threading.Thread(target=run.copy, args=(trainer.stdout,), daemon=True)
    output.start()
    # [start:watch]
    try:
        while trainer.poll() is None and not reason:
            time.sleep(1)
            run.look()
            reason = run.reason_to_end()
    finally:
        run.clean()
    # [end:watch]
    output.join(timeout=5)
    if reason:
        print(f"guard: run ended: {reason}", file=sys.stderr)
        return ENDED
    code = trainer.returncode
    code = code if code >= 0 else 128 - code  # as a shell counts a signal
    if code and run.error:
        print(f"guard: exit code {code}, after vLLM said: {run.error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
