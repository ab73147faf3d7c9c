"""Processes of a test: ended with it, whatever happens to the run."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """Ask Linux for a SIGTERM when the parent dies, so that even a killed run leaves nothing behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def run(
    command: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` in a process group of its own and end the whole group, on success, failure and interrupt.

    Raises :class:`subprocess.TimeoutExpired` after ``timeout`` seconds.  Standard error is merged into ``stdout``.
    """
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    finally:
        end_group(process.pid)
        process.wait()
    return subprocess.CompletedProcess(command, process.returncode, output, "")


def end_group(group: int) -> None:
    """End a process group: SIGTERM, and SIGKILL for what is left after two seconds."""
    for number, wait in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 0.0)):
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            return
        end = time.monotonic() + wait
        while time.monotonic() < end:
            try:
                os.waitpid(-group, os.WNOHANG)
            except ChildProcessError:
                break
            time.sleep(0.05)


def _children() -> dict[int, str]:
    """Descendants of this process by id, with their command; Python's own resource tracker is not one."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if fields[0] != "Z" and "multiprocessing.resource_tracker" not in command:
            parents[int(folder.name)], commands[int(folder.name)] = int(fields[1]), command
    family = {os.getpid()}
    for _ in parents:
        family |= {child for child, parent in parents.items() if parent in family}
    return {child: commands[child] for child in family - {os.getpid()}}


def end_children() -> list[str]:
    """End every process that the tests left behind, and name them."""
    left = _children()
    for child in left:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return [command[:80] for command in left.values()]
