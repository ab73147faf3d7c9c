"""Keys of verl's composed configuration: which there are, which is meant, in which file it is set."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .site import site


def keys(config: Any, prefix: str = "") -> Iterator[str]:
    """All keys of a composed config, dotted; nothing is resolved."""
    from omegaconf import DictConfig, OmegaConf

    if not isinstance(config, DictConfig) or config._is_none() or config._is_missing():
        return
    for name in config:
        key = f"{prefix}{name}"
        yield key
        if OmegaConf.is_interpolation(config, name) or OmegaConf.is_missing(config, name):
            continue
        yield from keys(config._get_node(name), f"{key}.")


def nearest(key: str, known: list[str]) -> str | None:
    """The known key that is closest: the same last part elsewhere first, then the spelling beside it, then all over."""
    parent, _, last = key.rpartition(".")
    same = [name for name in known if name.rpartition(".")[2] == last]
    beside = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == parent}
    spelled = [beside[name] for name in difflib.get_close_matches(last, beside, 1, 0.6)]
    matches = difflib.get_close_matches(key, same, 1, 0.5) or spelled or difflib.get_close_matches(key, known, 1, 0.9)
    return matches[0] if matches else None


def file_of(key: str, loader: Any, name: str, folder: Path) -> str:
    """The file of verl in which ``key`` is, or would be, set."""
    from hydra.types import RunMode

    defaults = loader.compute_defaults_list(name, [], RunMode.RUN).defaults
    places = [(entry.package or "", entry.config_path) for entry in defaults if entry.config_path != "_self_"]
    parents = [(package, path) for package, path in places if package and f"{key}.".startswith(f"{package}.")]
    _, path = max(parents, key=lambda place: len(place[0]), default=("", name))
    for root in (folder, site() / "verl/trainer/config"):
        file = root / f"{path}.yaml"
        if file.is_file():
            return str(file.resolve().relative_to(site()))
    return f"{path}.yaml"


def dataclass_field(key: str, config: Any) -> bool:
    """Whether the dataclass that verl builds from the parent knows a key that the yaml lacks."""
    from hydra.utils import get_class
    from omegaconf import OmegaConf

    parent, _, name = key.rpartition(".")
    target = OmegaConf.select(config, f"{parent}._target_")
    try:
        return bool(target) and name in get_class(target).__dataclass_fields__
    except Exception:  # a target that cannot be imported here says nothing about the key
        return False


def scalars(config: Any) -> dict[str, bool | int | float | str | None]:
    """Every scalar value of a resolved configuration by its dotted key."""
    from omegaconf import OmegaConf

    values: dict[str, bool | int | float | str | None] = {}

    def walk(node: object, prefix: str) -> None:
        if isinstance(node, dict):
            for name, child in node.items():
                walk(child, f"{prefix}.{name}" if prefix else str(name))
        elif node is None or isinstance(node, bool | int | float | str):
            values[prefix] = node

    walk(OmegaConf.to_container(config, resolve=True, throw_on_missing=False), "")
    return values
