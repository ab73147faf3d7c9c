"""The engine's interpreter and one run of the child process in it."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from verl_rocm.environments import DEFAULT_ENGINE, Store
from verl_rocm.worker.adopt import engine_version
from verl_rocm.worker.wire import Answers, Request, Requests

SUPPORTED = ("0.24.0", "0.30.0", "0.32.0")
ROOT = Path(__file__).resolve().parents[2]
IDENTITY = Path(__file__).resolve().parents[1] / "identity"
ENGINES = "VERL_ROCM_ENGINES"
DEBUG = "VERL_ROCM_DEBUG"
# Of the user's environment, what would make the child do anything but resolve: kept out.
DROPPED = (
    "PYTHONSTARTUP",
    "RAY_ADDRESS",
    "VLLM_PLUGINS",
    "VLLM_TARGET_DEVICE",
    "VERL_USE_EXTERNAL_MODULES",
    "VERL_USE_MODELSCOPE",
)
SET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HYDRA_FULL_ERROR": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "VERL_USE_EXTERNAL_PLUGINS": "none",
}


class EngineProblem(Exception):
    """No engine to resolve with; one line that says what to do."""


def installed() -> str | None:
    """The vLLM release of this interpreter, None if there is none."""
    if importlib.util.find_spec("vllm") is None or importlib.util.find_spec("verl") is None:
        return None
    return engine_version()


def named() -> dict[str, str]:
    """Interpreters by release, as ``VERL_ROCM_ENGINES`` lists them: ``0.24.0=/path/python,0.32.0=/other/python``."""
    return dict(item.split("=", 1) for item in os.environ.get(ENGINES, "").split(",") if "=" in item)


def store() -> Store:
    """The engines that ``verl-rocm engine`` has built."""
    return Store(cache_folder(os.environ) / "engines")


def existing(version: str) -> str | None:
    """A Python with vLLM ``version`` and verl: this one, one that is named, one that was built; else None."""
    if installed() == version:
        return sys.executable
    if entry := named().get(version):
        return entry
    built = store().built_engine(version)
    return str(built) if built else None


def interpreter(version: str | None) -> str:
    """The Python that holds vLLM ``version`` and verl; of any supported release, if None.

    Raises:
        EngineProblem: there is none, or the release is not supported.
    """
    if version is not None and version not in SUPPORTED:
        raise EngineProblem(f"vLLM {version} is not supported: supported are {', '.join(SUPPORTED)}")
    here = installed()
    preferred = [here] if here in SUPPORTED else []
    for release in [version] if version else [*preferred, DEFAULT_ENGINE, *SUPPORTED]:
        if python := existing(release):
            return python
    missing = f"vLLM {version} and verl are" if version else "vLLM and verl are"
    lacking = f"{missing} not installed here" if here is None or version else f"vLLM {here} is not supported"
    build = f"verl-rocm engine {version}" if version else "verl-rocm engine"
    raise EngineProblem(f"{lacking}: use the Python that holds them, or `{build}`, which builds one for the CPU (4 GB)")


def environment(base: Mapping[str, str], checkout: Path | None = None, own: Path = ROOT) -> dict[str, str]:
    """The child's environment: the user's, without what would start anything, with the identity folder on the path.

    ``own`` is the folder that holds this package.
    """
    variables = {name: value for name, value in base.items() if name not in DROPPED} | SET
    path = [str(IDENTITY), str(own), *([str(checkout)] if checkout else [])]
    path += filter(None, [base.get("VERL_ROCM_EXTRA_PATH")])
    variables["PYTHONPATH"] = os.pathsep.join(path)
    variables["VLLM_CACHE_ROOT"] = str(cache(base))
    return variables


def cache_folder(base: Mapping[str, str]) -> Path:
    """This tool's part of the user's cache: below ``XDG_CACHE_HOME``, else ``~/.cache``."""
    return Path(base.get("XDG_CACHE_HOME") or Path(base.get("HOME") or tempfile.gettempdir()) / ".cache") / "verl-rocm"


def cache(base: Mapping[str, str]) -> Path:
    """Where vLLM keeps what it learnt of model classes in dry runs: apart from the cache of real runs."""
    folder = cache_folder(base)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir()) / "verl-rocm-cache"
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir()) / "verl-rocm-cache"


def resolve(requests: Sequence[Request], python: str, limit: float = 900, checkout: Path | None = None) -> Answers:
    """Answer all requests in one child process of ``python``; see :mod:`verl_rocm.worker`.

    ``checkout`` is a folder whose ``verl`` is taken instead of the installed one.

    Raises:
        EngineProblem: the child could not even import what it needs.
    """
    with tempfile.TemporaryDirectory(prefix="verl-rocm-") as folder:
        source, target = Path(folder) / "requests.json", Path(folder) / "answers.json"
        own = Path(folder) / "own"  # this package alone: what is installed beside it may be of another Python
        own.mkdir()
        (own / "verl_rocm").symlink_to(IDENTITY.parent)
        source.write_text(Requests(requests=tuple(requests)).model_dump_json(), encoding="utf-8")
        command = [python, "-m", "verl_rocm.worker", str(source), str(target)]
        pipe = None if os.environ.get(DEBUG) else subprocess.PIPE
        try:
            done = subprocess.run(
                command,
                env=environment(os.environ, checkout, own),
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                timeout=limit,
                text=True,
                errors="replace",
            )
        except FileNotFoundError:
            raise EngineProblem(f"{python} is not there: correct {ENGINES}") from None
        except subprocess.TimeoutExpired:
            raise EngineProblem(f"no answer from {python} within {limit:.0f} s") from None
        if not target.is_file():
            reason = cause(done.returncode, done.stderr or "")
            raise EngineProblem(f"vLLM and verl cannot be used in {python}: {reason}; {DEBUG}=1 shows all of it")
        return Answers.model_validate_json(target.read_bytes())


def cause(code: int, printed: str) -> str:
    """Why a child ended, in one line: its signal, else its exception's own line, else the last thing it printed."""
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    lines = [line.rstrip() for line in printed.splitlines() if line.strip()]
    after = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    for line in lines[after[-1] + 1 :] if after else ():
        if re.match(r"[A-Za-z_][\w.]*(: |$)", line):  # a frame of the traceback is indented
            return line[:300]
    return lines[-1][:300] if lines else f"it ended with code {code} and printed nothing"
