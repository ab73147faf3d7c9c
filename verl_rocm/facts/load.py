"""Loads the facts; a fault is one line that names file, entry and what to do."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError

from .base import Facts, FactsError
from .checks import check
from .releases import HERE, PROJECTS, known
from .schema import Entry, Goal, Gpu, Image, Issue, Setting

M = TypeVar("M", bound=BaseModel)
GOALS: tuple[str, ...] = get_args(Goal)


def read_toml(path: Path, shown: str) -> dict[str, object]:
    """A TOML file; ``shown`` names it in the error."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise FactsError(f"{shown}: no valid TOML: {error}; correct the syntax") from None


def says(error: ValidationError) -> str:
    """The first error of pydantic as "field: what is wrong; what to do"."""
    first = error.errors(include_url=False)[0]
    unions = {"release", "source", "issue", "pr", "page", "record"}
    path = first["loc"]  # after the number of a piece of evidence stands its type, which no file spells there
    parts = [p for before, p in zip(("", *path), path, strict=False) if not (isinstance(before, int) and p in unions)]
    where = ".".join(str(p) for p in parts if not str(p).startswith("_"))  # nor the form of a figure
    match first["type"]:
        case "extra_forbidden":
            return f"unknown field {where!r}; take it out or spell it as in verl_rocm/facts/README.md"
        case "missing":
            return f"field {where!r} is missing; add it"
        case "too_short":
            return f"field {where!r} needs at least {first['ctx']['min_length']}; add what is missing"
        case "union_tag_invalid" | "union_tag_not_found":
            return f"field {where!r} has no known type; use one of {', '.join(sorted(unions))}"
        case "value_error":
            return f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}"
    values = repr(first["input"])
    return f"field {where!r} is {values[:60]}: {first['msg'][0].lower()}{first['msg'][1:]}; correct it"


def _entries(path: Path, shown: str, table: str, model: type[M], name: str) -> list[M]:
    data = read_toml(path, shown)
    extra, items = sorted(set(data) - {table}), data.get(table, [])
    if extra or not isinstance(items, list):
        raise FactsError(f"{shown}: unknown table {', '.join(extra) or table}; this file holds only [[{table}]]")
    out = []
    for position, item in enumerate(items, start=1):
        entry = item.get(name) if isinstance(item.get(name), str) else f"number {position}"
        try:
            out.append(model.model_validate(item))
        except ValidationError as error:
            raise FactsError(f"{shown}: {table} {entry!r}: {says(error)}") from None
    return out


def read(folder: Path) -> Facts:
    """Read all files below ``folder``, each entry by itself; ``checks.check`` compares entries with each other."""
    settings: dict[str, Setting] = {}
    issues: dict[str, Issue] = {}
    goal: dict[str, str] = {}
    file: dict[str, str] = {}
    gpus: dict[str, Gpu] = {}
    path = folder / "gpus.toml"
    for gpu in _entries(path, "verl_rocm/facts/gpus.toml", "gpu", Gpu, "name") if path.is_file() else []:
        if gpu.name in gpus:
            raise FactsError(f"verl_rocm/facts/gpus.toml: gpu {gpu.name!r}: listed twice; keep one")
        gpus[gpu.name] = gpu
    images: dict[str, Image] = {}
    path = folder / "images.toml"
    for image in _entries(path, "verl_rocm/facts/images.toml", "image", Image, "id") if path.is_file() else []:
        if image.id in images:
            raise FactsError(f"verl_rocm/facts/images.toml: image {image.id!r}: listed twice; keep one")
        images[image.id] = image
    parts: list[tuple[str, str, type[Entry]]] = [("settings", "setting", Setting), ("known_issues", "issue", Issue)]
    for part, table, model in parts:
        for path in sorted((folder / part).glob("*.toml")):
            shown = f"verl_rocm/facts/{part}/{path.name}"
            if path.stem not in GOALS:
                raise FactsError(f"{shown}: no goal has this name; rename the file to one of {', '.join(GOALS)}")
            for entry in _entries(path, shown, table, model, "id"):
                if entry.id in file:
                    raise FactsError(f"{shown}: {table} {entry.id!r}: id is taken in {file[entry.id]}; choose another")
                goal[entry.id], file[entry.id] = path.stem, shown
                if isinstance(entry, Setting):
                    settings[entry.id] = entry
                elif isinstance(entry, Issue):
                    issues[entry.id] = entry
    stored = {project: known(project, folder) for project in PROJECTS}
    return Facts(gpus, settings, issues, goal, file, images, stored, folder)


@lru_cache(maxsize=4)
def load(folder: Path = HERE) -> Facts:
    """The checked facts.

    Raises:
        FactsError: an entry cannot be used, or two contradict each other.
    """
    facts = read(folder)
    check(facts)
    return facts
