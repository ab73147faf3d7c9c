"""One launch script, run in the sandbox until its trainers are known."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import notes, sandbox, shims
from .slurm import allocation, usual

PRELUDE = Path(__file__).with_name("prelude.sh")
# What the prelude is told, attempt after attempt: whether an unset variable ends the script, and whether `exit` does.
LENIENCE = (("-u", ""), ("-u", "ignored"), ("+u", "ignored"))
UNSET = re.compile(
    r"([A-Za-z_]\w*): unbound variable|line \d+: ([A-Za-z_]\w*): (?!unbound variable|command not found|.*readonly)"
)
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
    unset: str = "-u"
    exits: str = ""


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
    tried: list[Attempt] = []
    end = time.monotonic() + limit
    for unset, exits in LENIENCE[:1] if trusted else LENIENCE:  # what it writes then is real: no line that it guards
        attempt, plan = _learnt(replace(plan, unset=unset, exits=exits), end, gpus)
        tried.append(attempt)
        if attempt.launches:
            line = notes.line(attempt.notes, plan.filled)
            return [replace(launch, notes=line) for launch in attempt.launches]
        if attempt.late:
            break
    lines = tried[0].output.strip().splitlines()
    raise ScriptProblem(notes.silence(script.name, lines, limit if tried[-1].late else None, tried[0].status))


def _learnt(plan: Run, end: float, gpus: int) -> tuple[Attempt, Run]:
    """Attempts until no more variables turn out to be missing, or ``end`` (of the monotonic clock) is near."""
    for _ in range(ATTEMPTS):
        attempt = _attempt(replace(plan, limit=max(end - time.monotonic(), 1)))
        names = _unset(attempt.output, plan.script, plan.filled, gpus)
        if not names or time.monotonic() > end:
            break
        plan = replace(plan, filled={**plan.filled, **names})
    return attempt, plan


def _unset(output: str, script: Path, filled: Mapping[str, str], gpus: int) -> dict[str, str]:
    """Variables that a run asked for and nobody set, and what they are taken as: nothing empty for ``${X:?}``."""
    text = script.read_text(errors="replace")
    values: dict[str, str] = {}
    for plain, own in UNSET.findall(output):
        required = re.search(rf"\$\{{{plain or own}:?\?", text)
        if (plain or required) and (name := plain or own) not in filled:
            values[name] = usual(name, gpus) or (f"/{name}" if required else "")
    return values


def _attempt(plan: Run) -> Attempt:
    """Run the script once."""
    with tempfile.TemporaryDirectory(prefix="verl-rocm-script-") as name:
        scratch = Path(name).resolve()
        shims.fill(scratch / "bin", bool(plan.way))
        for file in ("record", "notes"):
            (scratch / file).touch()
        own = {
            "VERL_ROCM_SCRIPT": str(scratch),
            "VERL_ROCM_STANDINS": " ".join(shims.STANDINS),
            "VERL_ROCM_UNSET": plan.unset,
            "VERL_ROCM_EXIT": plan.exits,
        }
        dropped = ("PYTHONPATH", "ENV", "BASHOPTS", "SHELLOPTS")
        base = {name: value for name, value in plan.environment.items() if name not in dropped}
        environment = {**base, **plan.filled, **own}
        environment |= {"PATH": str(scratch / "bin"), "BASH_ENV": str(PRELUDE), "TMPDIR": str(scratch)}
        inside = sandbox.prefix(plan.way, plan.options, scratch) if plan.way else []
        command = [*inside, plan.environment["VERL_ROCM_BASH"], str(plan.script.resolve()), *plan.arguments]
        late, status = shims.run(command, environment, scratch / "output", _working_folder(plan.script), plan.limit)
        hidden = {name for name in environment if name not in os.environ and name not in plan.environment}
        records = (scratch / "record").read_text(errors="replace").splitlines()
        launches = [Launch(**json.loads(line)) for line in records]
        left: dict[str, list[str]] = {}
        for line in (scratch / "notes").read_text(errors="replace").splitlines():
            kind, _, text = line.partition("\t")
            left.setdefault(kind, []).append(text)
        with (scratch / "output").open("rb") as output:
            printed = output.read(shims.OUTPUT).decode(errors="replace")
    kept = [replace(each, environment=_without(each.environment, hidden, plan.filled)) for each in launches]
    return Attempt(kept, left, printed, status, late)


def _without(environment: Mapping[str, str], hidden: set[str], filled: Mapping[str, str]) -> dict[str, str]:
    """The environment of a launch without what only the attempt had put there."""
    return {
        name: value
        for name, value in environment.items()
        if not (name.startswith("VERL_ROCM_") and name in hidden) and filled.get(name) != value
    }


def _working_folder(script: Path) -> str:
    """Launch scripts of a checkout expect its root; others the folder in which the user stands."""
    for parent in script.resolve().parents:
        if (parent / "verl").is_dir() and (parent / "examples").is_dir():
            return str(parent)
    return str(Path.cwd())
