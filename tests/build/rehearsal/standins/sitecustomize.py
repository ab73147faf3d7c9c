"""Makes a CPU PyTorch say that it is a ROCm build: on PYTHONPATH, with REHEARSAL_HIP set to a HIP version.

It changes what ``torch.version`` and ``torch.utils.cpp_extension`` say when they are imported, and nothing else.
"""

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

HIP = os.environ.get("REHEARSAL_HIP", "")


def claim_hip(module: ModuleType) -> None:
    """Set what a ROCm build has in the module."""
    if module.__name__ == "torch.version":
        module.hip, module.cuda = HIP, None  # type: ignore[attr-defined]
    else:
        module.ROCM_HOME = module._find_rocm_home()  # type: ignore[attr-defined]
        module.CUDA_HOME, module.IS_HIP_EXTENSION = None, True  # type: ignore[attr-defined]


class Finder(importlib.abc.MetaPathFinder):
    """Finds the two modules as Python would, and adds :func:`claim_hip` to their loading."""

    names = {"torch.version", "torch.utils.cpp_extension"}  # noqa: RUF012  (emptied while it works)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self.names:
            return None
        self.names.discard(name)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_claim(module: ModuleType) -> None:
            load(module)
            claim_hip(module)

        spec.loader.exec_module = load_and_claim  # type: ignore[method-assign]
        return spec


if HIP:
    sys.meta_path.insert(0, Finder())
