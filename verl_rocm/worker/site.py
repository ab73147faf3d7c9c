"""Where verl lies; nothing of it is imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from .problem import Refused
from .wire import Kind


def site() -> Path:
    """The folder that holds the package ``verl``; the package itself is not imported."""
    spec = importlib.util.find_spec("verl")
    if spec is None or not spec.submodule_search_locations:
        raise Refused("compose", "verl is not installed", "use `make dry-run`", Kind.FAULT)
    return Path(next(iter(spec.submodule_search_locations))).resolve().parent
