"""Architecture configs for a dry run: a directory, a bundled ``config.json``, or, with a network, the hub."""

from __future__ import annotations

import importlib
import json
import os
import re
import urllib.request
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

SECONDS = 5
HUB_NAME = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
BUNDLED = Path(__file__).resolve().parent.parent / "facts" / "models"


@dataclass(frozen=True)
class Model:
    """A model's config on disk and where it comes from, in the report's words."""

    directory: Path
    source: str


@lru_cache(maxsize=1)
def bundled(folder: Path = BUNDLED) -> dict[str, dict[str, Any]]:
    """Bundled models by the last part of their hub name, lower case."""
    found = {}
    for file in sorted(folder.glob("*.json")):
        entry = json.loads(file.read_text(encoding="utf-8"))
        found[file.stem.lower()] = entry
    return found


def lookup(name: str) -> dict[str, Any] | None:
    """The bundled model for a hub name or a path that ends in one (``~/models/Qwen/Qwen2.5-7B``)."""
    last = name.rstrip("/").rpartition("/")[2].lower()
    known = bundled()
    for ending in ("", "-mcore", "-bf16", "-merge"):
        if last.endswith(ending) and (entry := known.get(last.removesuffix(ending))):
            return entry
    return None


def place(name: str, folder: Path) -> Model | None:
    """Put the config of ``name`` where verl and vLLM can load it; None if nobody has it.

    Args:
        name: a directory with a ``config.json``, a bundled name, or a hub name.
        folder: an empty folder of this run, for bundled configs.
    """
    path = Path(name).expanduser()
    if (path / "config.json").is_file():
        return Model(path.resolve(), "directory")
    entry = lookup(name)
    if entry is not None:
        target = folder / entry["name"].replace("/", "--")
        target.mkdir(exist_ok=True)
        (target / "config.json").write_text(json.dumps(entry["config"]), encoding="utf-8")
        return Model(target, f"bundled {entry['name']}")
    return _hub(name, folder) if HUB_NAME.match(name) and os.environ.get("HF_HUB_OFFLINE") != "1" else None


def _hub(name: str, folder: Path) -> Model | None:
    """The real ``config.json`` from the hub's cache or the hub; None without both, or without that model."""
    try:
        hub = importlib.import_module("huggingface_hub")
        cached = hub.try_to_load_from_cache(name, "config.json")
        if isinstance(cached, str):
            return Model(Path(cached).parent, f"hub {name}, from the cache")
        with urllib.request.urlopen(hub.hf_hub_url(name, "config.json"), timeout=SECONDS) as answer:
            text = answer.read(10**6)
    except (ImportError, OSError, ValueError):
        return None
    target = folder / name.replace("/", "--")
    target.mkdir(exist_ok=True)
    (target / "config.json").write_bytes(text)
    return Model(target, f"hub {name}")
