"""The folder that is the PATH of a launch script, and the process that runs in it."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .forms import GPU_TOOLS, PYTHONS, READING, SHELLS, TRIED, WRAPPERS

STANDIN = """#!/bin/sh
exec {python} -I -S -c 'import sys
sys.path.insert(0, "{folder}")
from script import standin
standin.run()' "$0" "$@"
"""
STANDINS = (*PYTHONS, *WRAPPERS, *SHELLS, *GPU_TOOLS, "scontrol")
OUTPUT = 16 * 2**20  # bytes of a file; more than that ends the command that writes it


def fill(folder: Path, inside: bool) -> None:
    """Fill ``folder`` with the commands that a script sees; TRIED ones are real only ``inside`` a sandbox."""
    folder.mkdir()
    files = {".standin": STANDIN.format(python=sys.executable, folder=Path(__file__).resolve().parents[1])}
    files |= {
        name: f'#!/bin/sh\n{(shutil.which(name) if inside else None) or ":"} "$@" 2>/dev/null\nexit 0\n'
        for name in TRIED
    }
    files["tee"] = "#!/bin/sh\nexec cat\n"  # a log file is not worth having
    files["tail"] = f'#!/bin/sh\ncase " $* " in *" -"*[fF]*) exit 0 ;; esac\nexec {shutil.which("tail")} "$@"\n'
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    for name in READING:
        real = shutil.which(name)
        if real and name not in files:
            (folder / name).symlink_to(real)
    for name in STANDINS:
        (folder / name).symlink_to(".standin")


def _limits() -> None:
    """Before the script: no file grows beyond :data:`OUTPUT`, and no core is written."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(
    command: Sequence[str], environment: Mapping[str, str], output: Path, folder: str, limit: float
) -> tuple[bool, int]:
    """Run to the end or to ``limit`` seconds, with all output in a file: whether it was late, and its exit code."""
    with output.open("ab") as file:
        started = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            cwd=folder,
            preexec_fn=_limits,
        )
        late = False
        try:
            started.wait(limit)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
    return late, started.returncode
