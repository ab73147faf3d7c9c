"""The programs in docs/_figures, which are no package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FIGURES = Path(__file__).parents[2] / "docs" / "_figures"


def load(name: str) -> ModuleType:
    """One of them as a module."""
    spec = importlib.util.spec_from_file_location(name, FIGURES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks up the names of annotations there
    spec.loader.exec_module(module)
    return module
