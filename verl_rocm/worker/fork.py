"""Work in a fork: what it changes in this process's state stays in it, and so does the way it ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fork:
    """A fork at work; :meth:`finish` waits for it."""

    pid: int
    stream: int

    def finish(self) -> tuple[bytes, str]:
        """What the work returned, and how the fork ended where it returned nothing."""
        with os.fdopen(self.stream, "rb") as stream:
            data = stream.read()
        _, status = os.waitpid(self.pid, 0)
        return data, "" if data else _ended(status)


def _ended(status: int) -> str:
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number == signal.SIGALRM:
        return "it took too long"
    name = signal.Signals(number).name if number else f"exit code {os.waitstatus_to_exitcode(status)}"
    return f"its process ended early, by {name}"


def start(work: Callable[[], bytes], limit: int) -> Fork:
    """Begin ``work`` in a fork that is ended after ``limit`` seconds."""
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return Fork(child, read)
    code = 1
    try:
        os.close(read)
        signal.alarm(limit)
        data = work()
        with os.fdopen(write, "wb") as stream:
            stream.write(data)
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
