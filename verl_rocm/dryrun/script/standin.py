"""What stands where a launch script expects python, docker, srun, ray and the like: it starts none of them.

:func:`main` runs inside the sandbox with the standard library only.  It looks in the words for what
would be started in the end: a trainer is written down, a shell command that is carried inside runs in the same way, and
everything else is left out and noted.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from .forms import GPU_TOOLS, PYTHONS, READING, SHELLS

OVERRIDE = re.compile(r"[+~]{0,2}(actor_rollout_ref|algorithm|trainer)\.\w")
TRAINER = re.compile(r"(^|[._])main(_|$)|_main$|trainer$")
VARIABLE = re.compile(r"(?:--(?:env|export)=)?((?:ALL,)?[A-Za-z_]\w*=.*)", re.DOTALL)
COMMAND = re.compile(r"\bpython[\d.]*\s|\btorchrun\s|\bbash\s|\.sh\b|\bmain_\w+|actor_rollout_ref\.|\bray\s")
SECONDS = 3


@dataclass(frozen=True)
class Start:
    """A trainer that would have been started: its module or file, and its arguments."""

    module: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Inner:
    """A command inside the words, with the variables that the words give it."""

    command: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Code:
    """Python of one line or of standard input (None)."""

    text: str | None


def trainer(words: Sequence[str]) -> Start | None:
    """The trainer that the words name as a module (``-m NAME``) or, where they name none, as a file."""
    for at, (before, word) in enumerate(pairwise(words), 1):
        if before in ("-m", "--module") and _trains(word, words[at + 1 :]):
            return Start(word, tuple(words[at + 1 :]))
    for at, word in enumerate(words):
        if word.endswith(".py") and _trains(_module(word), words[at + 1 :]):
            return Start(_module(word), tuple(words[at + 1 :]))
    return None


def _module(file: str) -> str:
    """The module of a file: below ``verl`` or ``recipe`` by its place in the checkout, else as it is named."""
    parts = Path(file).with_suffix("").parts
    root = next((at for at, part in enumerate(parts) if part in ("verl", "recipe")), 0)
    return ".".join(part for part in parts[root:] if part not in ("/", ".", ".."))


def _trains(module: str, rest: Sequence[str]) -> bool:
    """Whether a program takes overrides of verl's trainer, or is named as verl's own are."""
    own = module.startswith(("verl.", "recipe.")) or any(word.startswith("--config") for word in rest)
    return any(OVERRIDE.match(word) for word in rest) or (own and TRAINER.search(module.rpartition(".")[2]) is not None)


def variables(words: Sequence[str], name: str) -> dict[str, str]:
    """Variables that a wrapper's own words hand on: ``-e K=V``, ``--env=K=V``, ``--export=ALL,K=V``, ``env K=V``."""
    handed: dict[str, str] = {}
    for before, word in zip(["", *words], words, strict=False):
        option, _, value = word.partition("=")
        if before == "--runtime-env-json" or option == "--runtime-env-json":
            try:
                handed |= json.loads(word if before == "--runtime-env-json" else value).get("env_vars", {})
            except (ValueError, AttributeError):
                continue
        elif before in ("-e", "-x", "--env", "--export") or option in ("--env", "--export") or name in ("env", "sudo"):
            match = VARIABLE.fullmatch(word)
            items = match[1].split(",") if match and "export" in before + option else [match[1]] if match else []
            handed |= dict(item.split("=", 1) for item in items if "=" in item)
    return {key: str(value) for key, value in handed.items()}


def shell(words: Sequence[str]) -> tuple[str, ...]:
    """The command of a shell without the options that would make it read files of its own (``-l``, ``-i``)."""
    for at, word in enumerate(words):
        if re.fullmatch(r"-[a-zA-Z]*c", word) and at + 1 < len(words):
            return ("bash", "-c", *words[at + 1 :])
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] not in ("-s", "-"):
        rest = rest[2:] if rest[0] in ("-o", "-O", "--rcfile", "--init-file") else rest[1:]
    return ("bash", *rest)


def inner(name: str, words: Sequence[str]) -> Inner | None:
    """The command that a wrapper carries, None where it carries none."""
    names = [Path(word).name for word in words]
    for at, base in enumerate(names):
        if base in SHELLS:
            return Inner(shell(words[at + 1 :]), variables(words[:at], name))
        if base in PYTHONS:
            return Inner((base, *words[at + 1 :]), variables(words[:at], name))
        if re.search(r"\.(sh|bash|slurm|sbatch)$", base) or (name == "sbatch" and Path(words[at]).is_file()):
            return Inner(("bash", *words[at:]), variables(words[:at], name))
    for at, word in enumerate(words):
        text = re.sub(r"^--?[\w-]+=", "", word)
        if re.search(r"\s", text) and COMMAND.search(text):
            return Inner(("bash", "-c", text), variables(words[:at], name))
    for at, base in enumerate(names):
        if base in READING and (at == 0 or not words[at - 1].startswith("-")):
            return Inner((base, *words[at + 1 :]), variables(words[:at], name))
    return None


def decide(name: str, words: Sequence[str]) -> Start | Inner | Code | None:
    """What the command ``name`` with ``words`` would start; None for nothing that matters."""
    carried = any(Path(word).name in SHELLS for word in words)
    if not carried and (start := trainer(words)):
        return start
    if name in PYTHONS:
        rest = list(words)
        while rest and rest[0].startswith("-") and rest[0] not in ("-c", "-", "-m"):
            rest = rest[2:] if rest[0] in ("-W", "-X") else rest[1:]
        if rest[:1] == ["-c"]:
            return Code(rest[1] if len(rest) > 1 else "")
        if not rest or rest[0] == "-":
            return Code(None) if not words or rest else None
        return inner(name, rest[1:])
    return inner(name, words)


def _note(folder: Path, kind: str, text: str) -> None:
    with (folder / "notes").open("a", encoding="utf-8") as notes:
        notes.write(f"{kind}\t{' '.join(text.split())[:60]}\n")


# Packages that scripts ask for the device; each is a stand-in that knows this and nothing else.
MODULES = """
import sys
from types import SimpleNamespace
cuda = SimpleNamespace(device_count=lambda: GPUS, is_available=lambda: True)
device = SimpleNamespace(get_device_name=lambda: "cuda", is_cuda_available=True, is_npu_available=False)
sys.modules |= {"torch": SimpleNamespace(cuda=cuda), "verl": SimpleNamespace(__path__=[])}
sys.modules |= {"verl.utils": SimpleNamespace(__path__=[], device=device), "verl.utils.device": device}
"""


def _evaluate(code: str, gpus: int) -> str | None:
    """What code of the standard library prints; None where it needs more than that, or more than three seconds."""
    head = MODULES.replace("GPUS", str(gpus)) + f"exec(compile({code!r}, '<code>', 'exec'), {{'__name__': '__main__'}})"
    command = [sys.executable, "-I", "-S", "-c", head]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def main(name: str, words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Stand for the command ``name``; 0, or what the carried command gives."""
    folder = Path(environment["VERL_ROCM_SCRIPT"])
    gpus, shims = int(environment["VERL_ROCM_GPUS"]), folder / "bin"
    if name in GPU_TOOLS:
        lines = [GPU_TOOLS[name].format(n=n, arch=environment["VERL_ROCM_ARCH"]) for n in range(gpus)]
        print(*lines, sep="\n")
        return 0
    if name in SHELLS:
        os.execv(environment["VERL_ROCM_BASH"], list(shell(words)))
    if name == "scontrol":
        print(*(environment.get("SLURM_JOB_NODELIST", "").split(",")), sep="\n")
        return 0
    match decide(name, words):
        case Start(module, arguments):
            launch: dict[str, object] = {"module": module, "arguments": arguments, "folder": str(Path.cwd())}
            launch["environment"] = {**environment, **variables(words, name)}
            with (folder / "record").open("a", encoding="utf-8", errors="replace") as record:
                record.write(json.dumps(launch) + "\n")
        case Inner(command, more):
            os.execve(shims / command[0], list(command), {**environment, **more})
        case Code(text):
            code = sys.stdin.read() if text is None else text
            printed = _evaluate(code, gpus)
            if printed is None:
                _note(folder, "not run", f"{name} {'-' if text is None else '-c'} {code.strip()}")
                return 0 if environment.get("VERL_ROCM_EXIT") else 1  # it may be a question: is this package here?
            sys.stdout.write(printed)
        case None if name == "ssh" and not os.isatty(0):
            os.execv(shims / "bash", ["bash"])
        case None if words[:1] in (["-V"], ["--version"]):
            print("Python " + sys.version.split()[0])
        case None:
            _note(folder, "left out", " ".join([name, *words[:2]]))
    return 0


def run() -> None:
    """Stand for the command in whose name this program was started, and end."""
    sys.exit(main(Path(sys.argv[1]).name, sys.argv[2:], dict(os.environ)))
