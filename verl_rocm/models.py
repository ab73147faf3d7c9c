"""Architecture configs for a dry run: a directory, a bundled ``config.json``, or, with a network, the hub."""

from __future__ import annotations

import difflib
import importlib
import json
import os
import re
import urllib.request
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NotRequired, TypedDict

from pydantic import JsonValue

SECONDS = 5
NO_SOURCE = "context length without a source"
BY_PATH = "by the end of a path that has no config.json on this machine"
HUB_NAME = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
BUNDLED = Path(__file__).resolve().parent / "facts" / "models"


@dataclass(frozen=True)
class Model:
    """A model's config on disk and where it comes from, in the report's words."""

    directory: Path
    source: str


class Source(TypedDict, total=False):
    """Where numbers are from: a line of a file at a commit of a repository, or a note."""

    repo: str
    commit: str
    file: str
    line: int
    note: str


class Bundled(TypedDict):
    """A file of ``facts/models``; ``context`` is the source of the context length, where there is one."""

    name: str
    config: dict[str, JsonValue]
    source: Source
    context: NotRequired[Source]


@lru_cache(maxsize=1)
def bundled(folder: Path = BUNDLED) -> dict[str, Bundled]:
    """Bundled models by the last part of their hub name, lower case."""
    entries: dict[str, Bundled] = {}
    for file in sorted(folder.glob("*.json")):
        entries[file.stem.lower()] = json.loads(file.read_text(encoding="utf-8"))
    return entries


def lookup(name: str) -> Bundled | None:
    """The bundled model for a hub name or a path that ends in one (``~/models/Qwen/Qwen2.5-7B``)."""
    last = name.rstrip("/").rpartition("/")[2].lower()
    known = bundled()
    for ending in ("", "-mcore", "-bf16", "-merge"):
        if last.endswith(ending) and (entry := known.get(last.removesuffix(ending))):
            return entry
    return None


def near(name: str) -> str | None:
    """The bundled model that a name speaks of: it holds its name, or is spelled almost so; None if there is none."""

    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", text.lower())

    last, known = name.rstrip("/").rpartition("/")[2].lower(), list(bundled())
    held = sorted((stem for stem in known if plain(stem) in plain(name)), key=len, reverse=True)
    spelled = difflib.get_close_matches(last, known, 1, 0.9)
    result = next(iter([*spelled, *held]), None)
    return bundled()[result]["name"] if result else None


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
        by_path = "/" in name and name.lower() != entry["name"].lower() and not HUB_NAME.match(name)
        remarks = [BY_PATH] * by_path + [NO_SOURCE] * ("context" not in entry)
        return Model(target, ", ".join([f"bundled {entry['name']}", *remarks]))
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
