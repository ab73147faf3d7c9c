"""What a launch script would have started: bash expands it, with the launchers replaced by a recorder.

The script runs without a network where the system allows a network namespace, with a time limit, and sees a ``PATH`` on
which only reading tools are real: commands that install, delete or start something do nothing.  It is still a program;
a file that one would not run should not be given to this either.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

# fmt: off
READING = (
    "awk", "basename", "bash", "bc", "cat", "cut", "date", "dirname", "echo", "env", "expr", "false", "getopt", "grep",
    "head", "hostname", "id", "jq", "ls", "mktemp", "nproc", "paste", "printenv", "printf", "pwd", "readlink",
    "realpath", "sed", "seq", "sh", "sort", "tail", "test", "tr", "true", "uname", "uniq", "wc", "which",
    "xargs",
)
LAUNCHERS = ("python", "python3", "uv", "torchrun", "ray", "accelerate", "srun", "nohup", "timeout", "numactl", "conda")
SILENT = (
    "pip", "pip3", "hf", "huggingface-cli", "wget", "curl", "git", "rm", "mkdir", "cp", "mv", "ln", "chmod", "sleep",
    "nvidia-smi", "rocm-smi", "amd-smi", "npu-smi", "rocminfo", "lscpu", "sudo", "apt-get", "apt", "docker", "pkill",
    "kill", "killall", "sysctl", "touch", "tar", "unzip", "ssh", "scp", "sbatch", "scontrol", "modelscope",
    "hostnamectl", "ip", "ifconfig", "ibdev2netdev", "nsys",
)
# fmt: on
RECORD = """#!/bin/sh
for word in "$@"; do
  case "$word" in
    verl.*|recipe.*|*/main_ppo.py|*/fully_async_main.py|*/sft_trainer.py|*/main_*.py)
      {{ printf '%s\\0' "$PWD" "$(basename "$0")" "$@"; printf '\\001\\0'; env -0; printf '\\002\\0'; }} >>'{record}'
      exit 0 ;;
  esac
done
case "$(basename "$0")" in
  python|python3) exec {python} "$@" ;;
  nohup|numactl) exec "$@" ;;
esac
exit 0
"""


class ScriptProblem(Exception):
    """A script that tells nothing; one line."""


@dataclass(frozen=True)
class Launch:
    """One start of a trainer: its module, Hydra's arguments, and the environment that the script had made."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str


def _shims(folder: Path, record: Path) -> None:
    for name in READING:
        real = shutil.which(name)
        if real:
            (folder / name).symlink_to(real)
    recorder = folder / ".record"
    recorder.write_text(RECORD.format(record=record, python=sys.executable), encoding="utf-8")
    nothing = folder / ".nothing"
    nothing.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    tee = folder / "tee"  # a log file is not worth having
    tee.write_text("#!/bin/sh\nexec cat\n", encoding="utf-8")
    for file in (recorder, nothing, tee):
        file.chmod(0o755)
    for names, target in ((LAUNCHERS, recorder), (SILENT, nothing)):
        for name in names:
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(target)


@lru_cache(maxsize=1)
def isolation() -> tuple[str, ...]:
    """The command that takes the network away, empty where the system does not allow it."""
    for command in (("unshare", "-n"), ("unshare", "-rn")):
        unshare = shutil.which(command[0])
        if unshare and subprocess.run([unshare, *command[1:], "true"], capture_output=True).returncode == 0:
            return unshare, *command[1:]
    return ()


def _launch(words: Sequence[str], variables: Sequence[str]) -> Launch:
    folder, rest = words[0], list(words[2:])
    start = next(i for i, word in enumerate(rest) if word.startswith(("verl.", "recipe.")) or word.endswith(".py"))
    module = rest[start]
    if module.endswith(".py"):  # a file of a checkout, as in `python3 verl/trainer/main_ppo.py`
        parts = Path(module).with_suffix("").parts
        module = ".".join(parts[parts.index("verl") :]) if "verl" in parts else module
    environment = dict(item.split("=", 1) for item in variables if "=" in item)
    return Launch(module, rest[start + 1 :], environment, folder)


def parse(data: bytes) -> list[Launch]:
    """Launches from what the recorder wrote."""
    made = []
    for block in data.decode(errors="replace").split("\002\0"):
        if "\001\0" in block:
            words, _, variables = block.partition("\001\0")
            made.append(_launch(words.split("\0")[:-1], variables.split("\0")))
    return made


def launches(
    script: Path, arguments: Sequence[str] = (), variables: Mapping[str, str] | None = None, limit: float = 20
) -> list[Launch]:
    """Everything of verl that ``script`` would have launched with ``arguments``.

    Raises:
        ScriptProblem: it is not there, launches nothing of verl, or does not end in ``limit`` seconds.
    """
    if not script.is_file():
        raise ScriptProblem(f"script {script} is not there")
    bash = shutil.which("bash")
    if bash is None:
        raise ScriptProblem("bash is not installed, and --script needs it")
    with tempfile.TemporaryDirectory(prefix="verl-rocm-script-") as name:
        folder, record, said = Path(name) / "bin", Path(name) / "record", Path(name) / "said"
        folder.mkdir()
        record.touch()
        _shims(folder, record)
        start = Path(name) / "start"
        start.write_text("ulimit() { :; }\nmodule() { :; }\n", encoding="utf-8")
        environment = dict(os.environ) | dict(variables or {}) | {"PATH": str(folder), "BASH_ENV": str(start)}
        environment.pop("PYTHONPATH", None)
        command = [*isolation(), bash, str(script.resolve()), *arguments]
        with said.open("wb") as output:
            started = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=_working_folder(script),
            )
            try:
                late = started.wait(limit) is None
            except subprocess.TimeoutExpired:
                late = True
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)
                started.wait()
        found = parse(record.read_bytes())
        if found:
            return found
        if late:
            raise ScriptProblem(f"{script.name} did not end within {limit:.0f} s and launched no trainer of verl")
        lines = said.read_text(errors="replace").strip().splitlines()
        missing = re.search(
            r"(\w+): (?:unbound variable|parameter null or not set|(?:must )?set )", lines[-1] if lines else ""
        )
        if missing:
            raise ScriptProblem(f"{script.name} needs the variable {missing[1]}: set it before the command")
        last = f" (last line: {lines[-1][:120]})" if lines and started.returncode else ""
        raise ScriptProblem(f"{script.name} launches no trainer of verl{last}")


def _working_folder(script: Path) -> str:
    """Launch scripts of a checkout expect its root; others the folder in which the user stands."""
    for parent in script.resolve().parents:
        if (parent / "verl").is_dir() and (parent / "examples").is_dir():
            return str(parent)
    return str(Path.cwd())
