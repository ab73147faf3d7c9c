"""``make doctest``: choose the interpreter, then let it run the tests of every block (standard library only).

Reads ACCELERATOR, PYTHON, ONLY, MODEL and VLLM from the environment.  The process becomes pytest (exec), so that a
signal reaches it and nothing stays behind.  Exit codes: 0 all held, 1 a block failed, 2 bad input.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tools.environment import DEFAULT_ENGINE, ROOT, EnvironmentProblem, engines, ensure, site_packages

ACCELERATORS = ("auto", "rocm", "cuda", "cpu")
HUB_NAME = re.compile(r"^[\w.-]+/[\w.-]+$")
PROBE = """
import importlib.util as u, json
answer = {name: u.find_spec(name) is not None for name in ("torch", "vllm", "pytest")}
if answer["torch"]:
    import torch
    answer.update(hip=getattr(torch.version, "hip", None), cuda=torch.version.cuda, gpus=torch.cuda.is_available())
print(json.dumps(answer))
"""


class BadInput(Exception):
    """One line that says what is wrong and what to do."""


@dataclass(frozen=True)
class Interpreter:
    """What an interpreter has; ``hip`` and ``cuda`` are the releases that its torch was built for."""

    torch: bool = False
    vllm: bool = False
    pytest: bool = False
    hip: str | None = None
    cuda: str | None = None
    gpus: bool = False


def probe(python: str) -> Interpreter:
    """What ``python`` has: torch's build, whether a GPU is visible, vllm, pytest.  A module is named, not imported."""
    try:
        done = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, check=True, timeout=120)
        return Interpreter(**json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError, TypeError) as error:
        detail = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise BadInput(f"PYTHON={python} cannot be asked for its torch ({detail[-1] if detail else error})") from None


def kfd_problem(device: Path = Path("/dev/kfd")) -> str:
    """Why a ROCm torch sees no GPU, as far as the device file tells."""
    if not device.exists():
        return f"{device} is missing: load amdgpu, or start the container with --device=/dev/kfd --device=/dev/dri"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"no access to {device}: join its group (render or video), or start the container with --group-add"
    return (
        "torch sees no GPU although it may open /dev/kfd: check HIP_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES, amd-smi list"
    )


def choose_accelerator(request: str, interpreter: Interpreter, python: str) -> str:
    """The accelerator to run on: ``rocm`` or ``cuda`` of ``python``, or ``cpu`` in an environment of our own."""
    has = "rocm" if interpreter.hip else "cuda" if interpreter.cuda else "cpu"
    if request == "cpu" or (request == "auto" and has == "cpu"):
        return "cpu"
    if request in ("rocm", "cuda") and has != request:
        raise BadInput(
            f"ACCELERATOR={request}, but {python} has no {request.upper()} build of torch: set PYTHON= to one that has"
        )
    if not interpreter.gpus:
        if has == "rocm":
            raise BadInput(f"{python} has a ROCm torch but no GPU: {kfd_problem()} (ACCELERATOR=cpu runs without)")
        if request == "auto":
            return "cpu"
        raise BadInput(
            f"ACCELERATOR=cuda, but torch in {python} sees no GPU: check nvidia-smi and CUDA_VISIBLE_DEVICES"
        )
    if not interpreter.vllm:
        raise BadInput(
            f"{python} has a GPU and torch but no vLLM: install vLLM there, or set PYTHON= or ACCELERATOR=cpu"
        )
    return has


def check_model(model: str) -> None:
    """Refuse a MODEL that is neither a model directory nor a name on the hub."""
    path = Path(model)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise BadInput(f"MODEL={model} is no model: the directory has no config.json")
    elif path.exists() or not HUB_NAME.match(model):
        raise BadInput(
            f"MODEL={model} is no model: give a directory with config.json, or a name such as Qwen/Qwen3-0.6B"
        )


def beside(interpreter: Interpreter) -> Path | None:
    """A folder with the test tools that this interpreter lacks; ``None`` if it has them.

    They go into an environment of our own, so that nothing is installed into the interpreter, which may even lack pip.
    """
    if interpreter.pytest:
        return None
    return site_packages(ensure("pytest"))


def command(environ: dict[str, str]) -> tuple[str, list[str], dict[str, str]]:
    """Interpreter, pytest arguments and environment of the run that ``environ`` asks for."""
    request = environ.get("ACCELERATOR") or "auto"
    python = shutil.which(environ.get("PYTHON") or "python3") or environ.get("PYTHON", "python3")
    only, model = environ.get("ONLY", ""), environ.get("MODEL", "")
    engine = environ.get("VLLM") or DEFAULT_ENGINE
    if request not in ACCELERATORS:
        raise BadInput(f"ACCELERATOR={request} is unknown: use one of {', '.join(ACCELERATORS)}")
    if model:
        check_model(model)
    interpreter = Interpreter() if request == "cpu" else probe(python)
    accelerator = choose_accelerator(request, interpreter, python)
    tools: Path | None = None
    if accelerator == "cpu":
        if engine not in engines():
            raise BadInput(f"VLLM={engine} has no lock: use one of {', '.join(engines())}")
        python = str(ensure(f"cpu-{engine}"))
    else:
        if environ.get("VLLM"):
            raise BadInput("VLLM= picks the CPU engine; a GPU run uses the vLLM of its own interpreter: leave it out")
        tools = beside(interpreter)
    arguments = [
        "tests/snippets",
        "-v",
        "--no-header",
        "--durations=10",  # the slowest, at the end of every run
        "--durations-min=1",
        "-pno:logging",  # torch logs thousands of lines, which would bury a failure
        "--continue-on-collection-errors",  # one broken file fails the run, and does not hide the others
        "-Wignore::DeprecationWarning",  # of the engine's packages; a reader can do nothing about them
        f"--accelerator={accelerator}",
        f"--only={only}",
        f"--model={model}",
        "--record",
    ]
    if accelerator == "cpu" and not only:  # a GPU belongs to one engine at a time; a part is not worth a second start
        arguments += ["--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder"]
    if accelerator == "cpu" and engine != DEFAULT_ENGINE:
        arguments.append(f"--class-suffix=-vllm{engine}")
    return python, arguments, {**environ, "GUIDE_TEST_TOOLS": str(tools or "")}


def main() -> NoReturn:
    """Run the tests of every block, or say in one line why not."""
    try:
        python, arguments, environ = command(dict(os.environ))
    except (BadInput, EnvironmentProblem) as problem:
        print(f"make doctest: {problem}", file=sys.stderr)
        sys.exit(2)
    os.chdir(ROOT)
    os.execve(python, [python, str(ROOT / "guide" / "doctest" / "run_pytest.py"), *arguments], environ)


if __name__ == "__main__":
    main()
