"""Packages that a ROCm image has and this environment lacks, as empty modules.

vLLM looks whether it can import them, or imports them beside a model class that it looks at.  None of their code has a
part in a configuration; whatever is called on them gives another empty value.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any


class Nothing:
    """A value without content: each attribute and each call gives another; a class may have it as base."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()

    def __call__(self, *_: object, **__: object) -> Any:
        return Nothing()

    def __mro_entries__(self, _: object) -> tuple[type, ...]:
        return ()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a package and all below it, as modules whose every attribute is :class:`Nothing`."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> Any:
        """A specification for the package and its modules, None for every other name."""
        if name == self.package or name.startswith(f"{self.package}."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """An empty module."""
        module = types.ModuleType(spec.name)

        def missing(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return Nothing()

        module.__getattr__ = missing  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to run."""


def install(package: str) -> None:
    """Let ``package`` be importable from now on, in this process."""
    if not any(isinstance(finder, Finder) and finder.package == package for finder in sys.meta_path):
        sys.meta_path.append(Finder(package))
