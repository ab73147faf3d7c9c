"""The engine's interpreter and one run of the child process in it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..worker.adopt import engine_version

SUPPORTED = ("0.24.0", "0.30.0", "0.32.0")
ROOT = Path(__file__).resolve().parents[2]
IDENTITY = Path(__file__).resolve().parents[1] / "identity"
ENGINES = "VERL_ROCM_ENGINES"
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


@dataclass(frozen=True)
class Request:
    """One dry run, as the child process reads it."""

    identity: dict[str, Any]
    launcher: str
    arguments: list[str]
    models: dict[str, dict[str, str]]
    rocm: str | None = None
    model: str | None = None
    nodes: int | None = None
    environment: dict[str, str] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)


def installed() -> str | None:
    """The vLLM release of this interpreter, None if there is none."""
    if importlib.util.find_spec("vllm") is None or importlib.util.find_spec("verl") is None:
        return None
    return engine_version()


def interpreter(version: str | None) -> str:
    """The Python that holds vLLM ``version`` (any, if None) and verl.

    ``VERL_ROCM_ENGINES`` may name more than this interpreter: ``0.24.0=/path/python,0.32.0=/other/python``.

    Raises:
        EngineProblem: there is none, or the release is not supported.
    """
    if version is not None and version not in SUPPORTED:
        raise EngineProblem(f"vLLM {version} is not supported: supported are {', '.join(SUPPORTED)}")
    named = dict(item.split("=", 1) for item in os.environ.get(ENGINES, "").split(",") if "=" in item)
    here = installed()
    if here is not None and version in (None, here):
        if here not in SUPPORTED:
            raise EngineProblem(
                f"vLLM {here} is installed, supported are {', '.join(SUPPORTED)}: use `make dry-run VLLM=`"
            )
        return sys.executable
    if version is None and named:
        version = "0.30.0" if "0.30.0" in named else min(named)
    if version in named:
        return named[version]
    wanted = f"vLLM {version}" if version else "vLLM and verl"
    raise EngineProblem(
        f"{wanted} not installed here: use the Python that holds it, or `make dry-run "
        f"VLLM={version or '0.30.0'}`, which builds one"
    )


def environment(base: Mapping[str, str], checkout: Path | None = None) -> dict[str, str]:
    """The child's environment: the user's, without what would start anything, with the identity folder on the path."""
    made = {name: value for name, value in base.items() if name not in DROPPED} | SET
    path = [str(IDENTITY), str(ROOT), *([str(checkout)] if checkout else [])]
    path += filter(None, [base.get("VERL_ROCM_EXTRA_PATH")])
    made["PYTHONPATH"] = os.pathsep.join(path)
    made["VLLM_CACHE_ROOT"] = str(cache(base))
    return made


def cache(base: Mapping[str, str]) -> Path:
    """Where vLLM keeps what it learnt of model classes in dry runs: apart from the cache of real runs."""
    root = Path(base.get("XDG_CACHE_HOME") or Path(base.get("HOME") or tempfile.gettempdir()) / ".cache")
    folder = root / "verl-rocm"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir()) / "verl-rocm-cache"
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir()) / "verl-rocm-cache"


def resolve(
    requests: Sequence[Request], python: str, limit: float = 900, checkout: Path | None = None
) -> dict[str, Any]:
    """Answer all requests in one child process of ``python``; see :mod:`verl_rocm.worker`.

    ``checkout`` is a folder whose ``verl`` is taken instead of the installed one.

    Raises:
        EngineProblem: the child could not even import what it needs.
    """
    with tempfile.TemporaryDirectory(prefix="verl-rocm-") as folder:
        source, target = Path(folder) / "requests.json", Path(folder) / "results.json"
        source.write_text(json.dumps([asdict(request) for request in requests]), encoding="utf-8")
        command = [python, "-m", "verl_rocm.worker", str(source), str(target)]
        said = None if os.environ.get("VERL_ROCM_DEBUG") else subprocess.PIPE
        try:
            done = subprocess.run(
                command,
                env=environment(os.environ, checkout),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                timeout=limit,
                text=True,
                errors="replace",
            )
        except FileNotFoundError:
            raise EngineProblem(f"{python} is not there: correct {ENGINES}") from None
        except subprocess.TimeoutExpired:
            raise EngineProblem(f"no answer from {python} within {limit:.0f} s") from None
        if not target.is_file():
            last = (done.stderr or "").strip().splitlines() or ["no message"]
            raise EngineProblem(f"vLLM or verl cannot be imported in {python}: {last[-1][:200]}")
        found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
        return found
