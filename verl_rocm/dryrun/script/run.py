"""One launch script, run in the sandbox until its trainers are known."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import sandbox
from .forms import GPU_TOOLS, PYTHONS, READING, SHELLS, TRIED, WRAPPERS
from .slurm import allocation, usual

PRELUDE = Path(__file__).with_name("prelude.sh")
STANDIN = """#!/bin/sh
exec {python} -I -S -c 'import sys
sys.path.insert(0, "{folder}")
from script import standin
standin.run()' "$0" "$@"
"""
STANDINS = (*PYTHONS, *WRAPPERS, *SHELLS, *GPU_TOOLS, "scontrol")
OUTPUT = 16 * 2**20  # bytes of a file; more than that ends the command that writes it
UNSET = re.compile(r"([A-Za-z_]\w*): unbound variable")
KINDS = ("not here", "left out", "not run", "passed over")
SHOWN = 8  # names of a kind in the line of notes
ATTEMPTS = 12  # each learns of at least one more variable that is not set
UNPROTECTED = (
    "this system can neither give {name} private namespaces nor restrain it with Landlock, so it could write files and "
    "reach the network: give the overrides themselves, or --trust-script to run it all the same"
)


class ScriptProblem(Exception):
    """A script that tells nothing; one line."""


@dataclass(frozen=True)
class Launch:
    """One start of a trainer: its module, Hydra's arguments, and the environment that the script had made.

    ``notes``: what of the script was left out, in one line.
    """

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    notes: str = ""


@dataclass(frozen=True)
class Attempt:
    """What one run of the script left: its launches, its notes by kind, its last lines and how it ended."""

    launches: list[Launch]
    notes: dict[str, list[str]]
    output: str
    status: int
    late: bool


@dataclass(frozen=True)
class Run:
    """How a script is run.  ``filled``: values of variables that nobody set."""

    script: Path
    arguments: tuple[str, ...]
    environment: dict[str, str]
    limit: float
    way: str
    options: tuple[str, ...]
    filled: Mapping[str, str]
    lenient: bool = False


def launches(
    script: Path,
    arguments: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    limit: float = 20,
    trusted: bool = False,
    arch: str = "",
    gpus: int = 8,
) -> list[Launch]:
    """Everything of verl that ``script`` would have launched with ``arguments`` on a node with ``gpus`` of ``arch``.

    ``limit`` is in seconds, for all of it; ``trusted`` runs the script without a sandbox.

    Raises:
        ScriptProblem: it is not there, launches no trainer, or there is no sandbox on this system.
    """
    if not script.is_file():
        raise ScriptProblem(f"script {script} is not there")
    bash = shutil.which("bash")
    if bash is None:
        raise ScriptProblem("bash is not installed, and --script needs it")
    way, options = next(iter(sandbox.ways().items()), ("", ())) if not trusted else ("", ())
    if not way and not trusted:
        raise ScriptProblem(UNPROTECTED.format(name=script.name))
    environment = allocation(script.read_text(errors="replace"), gpus) | dict(os.environ) | dict(variables or {})
    environment |= {"VERL_ROCM_ARCH": arch, "VERL_ROCM_GPUS": str(gpus), "VERL_ROCM_BASH": bash}
    plan = Run(script, tuple(arguments), environment, limit, way, options, {})
    end = time.monotonic() + limit
    for _ in range(ATTEMPTS):
        attempt = _attempt(replace(plan, limit=max(end - time.monotonic(), 1)))
        names = dict.fromkeys(name for name in UNSET.findall(attempt.output) if name not in plan.filled)
        if not names or time.monotonic() > end:
            break
        plan = replace(plan, filled={**plan.filled, **{name: usual(name, gpus) for name in names}})
    if not attempt.launches and not attempt.late:
        first, attempt = attempt, _attempt(replace(plan, lenient=True, limit=max(end - time.monotonic(), 1)))
    else:
        first = attempt
    if not attempt.launches:
        lines = first.output.strip().splitlines()
        raise ScriptProblem(_silence(script, lines, limit if attempt.late else None, first.status))
    notes = _line(attempt.notes, plan.filled)
    return [replace(launch, notes=notes) for launch in attempt.launches]


def _attempt(plan: Run) -> Attempt:
    """Run the script once."""
    with tempfile.TemporaryDirectory(prefix="verl-rocm-script-") as name:
        scratch = Path(name).resolve()
        _shims(scratch / "bin", bool(plan.way))
        for file in ("record", "notes"):
            (scratch / file).touch()
        own = {
            "VERL_ROCM_SCRIPT": str(scratch),
            "VERL_ROCM_STANDINS": " ".join(STANDINS),
            "VERL_ROCM_UNSET": "+u" if plan.lenient else "-u",
            "VERL_ROCM_EXIT": "ignored" if plan.lenient else "",
        }
        environment = {**plan.environment, **plan.filled, **own}
        environment |= {"PATH": str(scratch / "bin"), "BASH_ENV": str(PRELUDE), "TMPDIR": str(scratch)}
        for variable in ("PYTHONPATH", "ENV", "BASHOPTS", "SHELLOPTS"):
            environment.pop(variable, None)
        inside = sandbox.prefix(plan.way, plan.options, scratch) if plan.way else []
        command = [*inside, plan.environment["VERL_ROCM_BASH"], str(plan.script.resolve()), *plan.arguments]
        late, status = _run(command, environment, scratch / "output", _working_folder(plan.script), plan.limit)
        hidden = {name for name in environment if name not in os.environ and name not in plan.environment}
        records = (scratch / "record").read_text(errors="replace").splitlines()
        found = [Launch(**json.loads(line)) for line in records]
        notes: dict[str, list[str]] = {}
        for line in (scratch / "notes").read_text(errors="replace").splitlines():
            kind, _, text = line.partition("\t")
            notes.setdefault(kind, []).append(text)
        with (scratch / "output").open("rb") as output:
            printed = output.read(OUTPUT).decode(errors="replace")
    kept = [replace(each, environment=_without(each.environment, hidden, plan.filled)) for each in found]
    return Attempt(kept, notes, printed, status, late)


def _without(environment: Mapping[str, str], hidden: set[str], filled: Mapping[str, str]) -> dict[str, str]:
    """The environment of a launch without what only the attempt had put there."""
    return {
        name: value
        for name, value in environment.items()
        if not (name.startswith("VERL_ROCM_") and name in hidden) and filled.get(name) != value
    }


def _shims(folder: Path, inside: bool) -> None:
    """Fill ``folder`` with the commands that a script sees; TRIED ones are real only ``inside`` a sandbox."""
    folder.mkdir()
    files = {".standin": STANDIN.format(python=sys.executable, folder=Path(__file__).resolve().parents[1])}
    files |= {name: f'#!/bin/sh\n{(shutil.which(name) if inside else None) or ":"} "$@" 2>/dev/null\nexit 0\n' for name in TRIED}
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


def _run(command: list[str], environment: dict[str, str], output: Path, folder: str, limit: float) -> tuple[bool, int]:
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


def _line(notes: Mapping[str, list[str]], filled: Mapping[str, str]) -> str:
    """What was left out, in one line."""
    parts = {kind: list(dict.fromkeys(notes.get(kind, []))) for kind in KINDS}
    parts["not set"] = [f"{name} (taken as {value})" if value else f"{name} (empty)" for name, value in filled.items()]
    shown = [
        f"{kind}: {', '.join(items[:SHOWN])}" + (f" and {len(items) - SHOWN} more" if len(items) > SHOWN else "")
        for kind, items in parts.items()
        if items
    ]
    return f"of the script, {'; '.join(shown)}" if shown else ""


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
