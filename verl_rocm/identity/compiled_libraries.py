"""Keeps vLLM's compiled libraries out of every process that claims to be an AMD GPU.

vLLM's ``RocmPlatform`` imports ``vllm._C``, which is the HIP library in a build for ROCm.  In a build for CPUs the same
name is a library compiled for AVX-512 with BF16, which vLLM's CPU platform loads only where the CPU has both
(``vllm/platforms/cpu.py``, ``import_kernels``); elsewhere the process would end with SIGILL.  A claimed GPU computes
nothing, so it needs none of them: their names are empty modules.

``amdsmi`` beside this file installs :class:`EmptyModules` when it is imported.  Nothing is an AMD GPU to vLLM, or to
its module ``vllm.platforms.rocm``, without importing ``amdsmi`` first, so that no claim can leave the libraries in.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

VARIABLE = "VERL_ROCM_IDENTITY"
AVX2_LIBRARY = "_C_AVX2.abi3.so"


class EmptyModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty module for each compiled library of the package ``vllm``, while a GPU is claimed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith("vllm.") or not os.environ.get(VARIABLE):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or not isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module empty."""


def keep_out() -> None:
    """Let no import of this process load a compiled library of vLLM while a GPU is claimed."""
    if not any(isinstance(finder, EmptyModules) for finder in sys.meta_path):
        sys.meta_path.insert(0, EmptyModules())


def register_operators() -> None:
    """Register the schemas of ``torch.ops._C``, for code that looks them up without computing with them.

    They come from the library that vLLM's CPU build carries for the oldest CPUs that it runs on, those with AVX2.

    Raises:
        FileNotFoundError: this build of vLLM has no such library; it is for x86-64 alone.
    """
    import torch

    spec = importlib.util.find_spec("vllm")
    places = spec.submodule_search_locations if spec else None
    folder = Path(places[0] if places else "")
    if not (folder / AVX2_LIBRARY).is_file():
        raise FileNotFoundError(f"{folder / AVX2_LIBRARY} is missing: this vLLM is no CPU build for x86-64")
    torch.ops.load_library(str(folder / AVX2_LIBRARY))
