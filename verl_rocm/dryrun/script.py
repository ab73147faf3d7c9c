"""What a launch script would have started: bash expands it, with the launchers replaced by a recorder.

The script runs in a sandbox (:mod:`verl_rocm.dryrun.sandbox`): what it writes is forgotten or refused, there is no
network, and a time limit.  It sees a ``PATH`` on which only reading tools are real; commands that install, delete or
start something do nothing, and so does a Python file that is no trainer of verl.  It is still a program, and can read
what its user can.
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
from pathlib import Path

from . import sandbox

READING = (
    "awk",
    "basename",
    "bash",
    "bc",
    "cat",
    "cut",
    "date",
    "dirname",
    "echo",
    "env",
    "expr",
    "false",
    "getopt",
    "grep",
    "head",
    "hostname",
    "id",
    "jq",
    "ls",
    "mktemp",
    "nproc",
    "paste",
    "printenv",
    "printf",
    "pwd",
    "readlink",
    "realpath",
    "sed",
    "seq",
    "sh",
    "sort",
    "tail",
    "test",
    "tr",
    "true",
    "uname",
    "uniq",
    "wc",
    "which",
    "xargs",
)
LAUNCHERS = ("python", "python3", "uv", "torchrun", "ray", "accelerate", "srun", "nohup", "timeout", "numactl", "conda")
SILENT = (
    "pip",
    "pip3",
    "hf",
    "huggingface-cli",
    "wget",
    "curl",
    "git",
    "rm",
    "cp",
    "mv",
    "ln",
    "chmod",
    "sleep",
    "nvidia-smi",
    "rocm-smi",
    "amd-smi",
    "npu-smi",
    "lscpu",
    "sudo",
    "apt-get",
    "apt",
    "docker",
    "pkill",
    "kill",
    "killall",
    "sysctl",
    "tar",
    "unzip",
    "ssh",
    "scp",
    "sbatch",
    "scontrol",
    "modelscope",
    "hostnamectl",
    "ip",
    "ifconfig",
    "ibdev2netdev",
    "nsys",
)
RECORD = """#!/bin/sh
for word in "$@"; do
  case "$word" in
    verl.*|recipe.*|*/main_ppo.py|*/fully_async_main.py|*/sft_trainer.py|*/main_*.py)
      {{ printf '%s\\0' "$PWD" "$(basename "$0")" "$@"; printf '\\001\\0'; env -0; printf '\\002\\0'; }} >>'{record}'
      exit 0 ;;
  esac
done
case "$(basename "$0")" in
  nohup|numactl) exec "$@" ;;
  python|python3)
    for word in "$@" -; do
      case "$word" in
        -c|-|-V|--version) exec {python} "$@" ;;
        -m|*.py) exit 0 ;;
      esac
    done ;;
esac
exit 0
"""
# Tried in a sandbox, because later lines may need what they make; where it refuses, nothing is said.
TRIED = ("mkdir", "touch")
UNPROTECTED = (
    "this system can neither give {name} private namespaces nor restrain it with Landlock, so it could write files and "
    "reach the network: give the overrides themselves, or --trust-script to run it all the same"
)


class ScriptProblem(Exception):
    """A script that tells nothing; one line."""


@dataclass(frozen=True)
class Launch:
    """One start of a trainer: its module, Hydra's arguments, and the environment that the script had made."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str


def _shims(folder: Path, record: Path, inside: bool, arch: str) -> None:
    for name in READING:
        real = shutil.which(name)
        if real:
            (folder / name).symlink_to(real)
    for name in TRIED:
        real = (shutil.which(name) if inside else None) or ":"
        (folder / name).write_text(f'#!/bin/sh\n{real} "$@" 2>/dev/null\nexit 0\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    recorder = folder / ".record"
    recorder.write_text(RECORD.format(record=record, python=sys.executable), encoding="utf-8")
    nothing = folder / ".nothing"
    nothing.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    tee = folder / "tee"  # a log file is not worth having
    tee.write_text("#!/bin/sh\nexec cat\n", encoding="utf-8")
    agents = folder / "rocminfo"  # scripts ask it for the arch
    agents.write_text(f"#!/bin/sh\necho '  Name:                    {arch}'\n", encoding="utf-8")
    for file in (recorder, nothing, tee, agents):
        file.chmod(0o755)
    for names, target in ((LAUNCHERS, recorder), (SILENT, nothing)):
        for name in names:
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(target)


def _launch(words: Sequence[str], variables: Sequence[str]) -> Launch:
    folder, rest = words[0], list(words[2:])
    named = [i for i, word in enumerate(rest) if word.startswith(("verl.", "recipe."))]
    files = [i for i, word in enumerate(rest) if word.endswith(".py")]
    # A file before a named module is a wrapper, as in `python3 guard.py python3 -m verl...`.
    start = (named or files)[0]
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
    script: Path,
    arguments: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    limit: float = 20,
    trusted: bool = False,
    arch: str = "",
) -> list[Launch]:
    """Everything of verl that ``script`` would have launched with ``arguments`` where ``rocminfo`` says ``arch``.

    ``trusted`` runs it without a sandbox.

    Raises:
        ScriptProblem: it is not there, launches nothing of verl, does not end in ``limit`` seconds, or there is no
            sandbox on this system.
    """
    if not script.is_file():
        raise ScriptProblem(f"script {script} is not there")
    bash = shutil.which("bash")
    if bash is None:
        raise ScriptProblem("bash is not installed, and --script needs it")
    way, options = next(iter(sandbox.ways().items()), ("", ())) if not trusted else ("", ())
    if not way and not trusted:
        raise ScriptProblem(UNPROTECTED.format(name=script.name))
    with tempfile.TemporaryDirectory(prefix="verl-rocm-script-") as name:
        scratch = Path(name).resolve()
        folder, record, said = scratch / "bin", scratch / "record", scratch / "said"
        folder.mkdir()
        record.touch()
        _shims(folder, record, bool(way), arch)
        start = scratch / "start"
        start.write_text("ulimit() { :; }\nmodule() { :; }\n", encoding="utf-8")
        environment = dict(os.environ) | dict(variables or {}) | {"PATH": str(folder), "BASH_ENV": str(start)}
        environment |= {"TMPDIR": str(scratch)}
        environment.pop("PYTHONPATH", None)
        inside = sandbox.prefix(way, options, scratch) if way else []
        command = [*inside, bash, str(script.resolve()), *arguments]
        late, status = _run(command, environment, said, _working_folder(script), limit)
        found = parse(record.read_bytes())
        if not found:
            lines = said.read_text(errors="replace").strip().splitlines()
            raise ScriptProblem(_silence(script, lines, limit if late else None, status))
        return found


def _run(command: list[str], environment: dict[str, str], said: Path, folder: str, limit: float) -> tuple[bool, int]:
    """Run to the end or to ``limit`` seconds, with all output in ``said``: whether it was late, and its exit code."""
    with said.open("wb") as output:
        started = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=folder,
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


def _silence(script: Path, lines: list[str], limit: float | None, status: int) -> str:
    """Why a script launched nothing of verl, in one line, from what it printed last."""
    if limit is not None:
        return f"{script.name} did not end within {limit:.0f} s and launched no trainer of verl"
    lines = [line for line in lines if not re.match(r"\++ exit\b", line)] or lines  # `set -x` shows the exit itself
    pattern = r"(\w+): (?:unbound variable|parameter null or not set|(?:must )?(?:be )?set\b)"
    missing = re.search(pattern, lines[-1]) if lines else None
    if missing:
        return (
            f"{script.name} needs the variable {missing[1]}: put {missing[1]}=... before the command, as for the script"
        )
    last = f" (last line: {lines[-1][:160]})" if lines and status else ""
    return f"{script.name} launches no trainer of verl{last}"


def _working_folder(script: Path) -> str:
    """Launch scripts of a checkout expect its root; others the folder in which the user stands."""
    for parent in script.resolve().parents:
        if (parent / "verl").is_dir() and (parent / "examples").is_dir():
            return str(parent)
    return str(Path.cwd())
