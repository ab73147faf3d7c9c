"""Makes every Python process of a test take this machine for a node with AMD GPUs, as far as identity goes.

On the path of a test's Ray node only, beside ``verl_rocm/identity``, whose ``amdsmi`` answers Ray and vLLM.  Replaced
here, for want of a ROCm build of torch: ``torch.version.hip`` is set, and ``torch.cuda.device_count`` and
``set_device`` count the GPUs with torch's own parser of the visibility variables.  No device is opened.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

VARIABLE = "VERL_ROCM_IDENTITY"


def claim(torch: Any) -> None:
    """Let ``torch`` say that it was built for HIP, and count the GPUs that it would see."""
    node = int(json.loads(os.environ[VARIABLE])["count"])

    def device_count() -> int:
        return len([device for device in torch.cuda._parse_visible_devices() if device < node])

    def set_device(device: int) -> None:
        if int(device) >= device_count():
            raise RuntimeError(f"HIP error: invalid device ordinal (stand-in: {device} of {device_count()} visible)")

    torch.version.hip = "0"
    torch.cuda.device_count, torch.cuda.set_device = device_count, set_device


class Finder(importlib.abc.MetaPathFinder):
    """Finds torch where it is, and lets :func:`claim` run when it has been imported."""

    looking = False

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "torch" or self.looking:
            return None
        self.looking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.looking = False
        if spec and spec.loader:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                claim(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if os.environ.get(VARIABLE):
    sys.meta_path.insert(0, Finder())
