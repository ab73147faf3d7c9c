"""What is wrong with an override, from what Hydra and OmegaConf raise."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .keys import dataclass_field, file_of, keys, nearest
from .overrides import by_key
from .problem import Refused, first_line
from .wire import ROLLOUT, Kind


@dataclass(frozen=True)
class Composition:
    """What was being composed when Hydra raised: its loader, the config's name and folder, the overrides."""

    loader: Any
    name: str
    folder: Path
    overrides: Sequence[str]

    def bare(self) -> Any:
        """verl's configuration without any override."""
        from hydra.types import RunMode

        return self.loader.load_configuration(self.name, [], run_mode=RunMode.RUN)


def _unknown_key(match: re.Match[str], at: Composition) -> Refused:
    bare = at.bare()
    key = match[1].lstrip("+~").partition("@")[0]
    place = file_of(key, at.loader, at.name, at.folder)
    if dataclass_field(key, bare):
        message, hint = f"{key} is not in {place}, but verl's dataclass has it", f"write +{key}=..."
        return Refused("compose", message, hint, Kind.UNKNOWN_KEY, key=key, file=place)
    if key.startswith(f"{ROLLOUT}.engine_kwargs.vllm."):
        message, hint = f"{key} is not in {place}", f"write ++{key}=..."
        return Refused("compose", message, hint, Kind.UNKNOWN_KEY, key=key, file=place)
    near = nearest(key, [name for name in keys(bare) if not name.startswith("hydra")])
    file = file_of(near, at.loader, at.name, at.folder) if near else place
    hint = f"nearest is {near}, in {file}" if near else f"it would be in {place}"
    return Refused("compose", f"verl has no key {key}", hint, Kind.UNKNOWN_KEY, key=key, nearest=near, file=file)


def _set_already(match: re.Match[str], at: Composition) -> Refused:
    key = match[1]
    return Refused("compose", f"{key} is set already, so + is refused", f"write {key}=... or ++", Kind.APPEND, key=key)


def _cannot_be_deleted(match: re.Match[str], at: Composition) -> Refused:
    message = f"{match[1]} cannot be deleted: verl has no such key"
    return Refused("compose", message, "", Kind.UNKNOWN_KEY, key=match[1])


def _no_config(match: re.Match[str], at: Composition) -> Refused:
    hint = "it may come with another package: install that, or name its folder with hydra.searchpath=[file://DIR]"
    return Refused("compose", f"verl has no config {match[1]}", hint, Kind.MISSING_CONFIG)


MESSAGES: tuple[tuple[str, Callable[[re.Match[str], Composition], Refused]], ...] = (
    (r"Could not override '([^']+)'", _unknown_key),
    (r"Could not append to config. An item is already at '([^']+)'", _set_already),
    (r"Could not delete from config.*?'([^']+)'", _cannot_be_deleted),
    (r"Could not find '([^']+)'", _no_config),
)


def explain(error: BaseException, at: Composition) -> Refused:
    """The refusal that an exception of Hydra or OmegaConf stands for."""
    text = str(error)
    if type(error).__name__ == "MissingConfigException" and "primary config" in text.lower():
        return Refused("compose", f"there is no config {at.name} under {at.folder}", "", Kind.CONFIG_PATH)
    if type(error).__name__ == "OverrideParseException":
        bad = next((item for item in at.overrides if item in text), text.splitlines()[-1])
        hint = "write key=value, quoted where it holds brackets or spaces"
        return Refused("compose", f"{bad!r} is no override", hint, Kind.MALFORMED, key=bad)
    for pattern, reader in MESSAGES:
        if match := re.search(pattern, text):
            return reader(match, at)
    return Refused("compose", first_line(error), "", Kind.COMPOSE)


def missing_field(message: str, config: Any, overrides: Sequence[str]) -> str:
    """For a dataclass of verl that refused a key: where the config has a key of that name; else empty."""
    match = re.search(r"__init__\(\) got an unexpected keyword argument '(\w+)'", message)
    if not match:
        return ""
    named = [key for key in by_key(overrides) if key.rpartition(".")[2] == match[1]]
    same = [key for key in keys(config) if key.rpartition(".")[2] == match[1] and key not in named]
    near = difflib.get_close_matches(named[0], same, 1, 0) if named else []
    return f"{named[0]} is not read; nearest is {near[0]}" if near else f"take {named[0]} out" if named else ""
