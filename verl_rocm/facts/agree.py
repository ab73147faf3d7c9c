"""Whether the hand-written settings agree with the release contracts: names exist, defaults are the stated ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .base import Facts
from .contract import Name
from .releases import HERE, Release, release
from .schema import Default, Setting

PROJECT = {"vllm": "vllm", "compilation_config": "vllm", "verl": "verl"}
SAME = {"true": "1", "false": "0", "none": "unset", "null": "unset", "": "unset"}


def disagreements(facts: Facts, folder: Path = HERE) -> Iterator[str]:
    """One line for each setting and fault, with what to do."""
    for setting in facts.settings.values():
        reader = setting.read_by.split()[0]  # "vllm setup.py"
        project = PROJECT.get(setting.where) or (reader if setting.where == "env" else "")
        if reader == "nobody":
            result = _read_after_all(setting, facts, folder)
        elif project in facts.releases:
            result = _of_setting(setting, project, {v: release(project, v, folder) for v in facts.releases[project]})
        else:
            continue
        yield from (f"{facts.file[setting.id]}: setting {setting.id!r}: {fault}" for fault in result)


def _read_after_all(setting: Setting, facts: Facts, folder: Path) -> Iterator[str]:
    for project, known in facts.releases.items():
        for version in setting.versions.releases(project, known):
            if release(project, version, folder).reads(setting.name):
                yield f"read_by is nobody, but {project} {version} reads it; correct read_by or limit versions"
                break


def entry_of(setting: Setting, contract: Release) -> Name | None:
    """The contract's entry for a setting; None if the release does not have it, an empty one if that cannot be told."""
    match setting.where:
        case "vllm":
            return contract.engine_argument(setting.name)
        case "compilation_config":
            return contract.section("compilation_config").get(setting.name.partition(".")[0])
        case "verl":
            if "." in setting.name and ".engine_kwargs." in setting.name:
                return {}
            return contract.override(setting.name)
    reads = contract.reads(setting.name)
    return {} if reads is None else contract.section("env")[setting.name] if reads else None


def _of_setting(setting: Setting, project: str, contracts: dict[str, Release]) -> Iterator[str]:
    having = [v for v, c in contracts.items() if entry_of(setting, c) is not None]
    claimed = setting.versions.releases(project, contracts)
    missing = [v for v in claimed if v not in having]
    if missing:
        span = f"it is in {having[0]} to {having[-1]}" if having else "no stored release has it"
        yield f"{project} {', '.join(missing[:4])} has no {setting.name}; {span}, correct versions.{project}"
        return
    for default in setting.default:
        result = ((v, _differs(setting, default, contracts[v])) for v in default.versions.releases(project, claimed))
        wrong = [(v, item) for v, item in result if item is not None]
        if wrong:
            more = f" and {len(wrong) - 1} more releases differ" if len(wrong) > 1 else ""
            yield (
                f"default {default.value!r} of {default.set_by}: {project} {wrong[0][0]} has {wrong[0][1]!r}{more}; "
                "correct it or limit its versions"
            )


def _differs(setting: Setting, default: Default, contract: Release) -> Any:
    """What the contract says instead; None where it agrees or cannot say.

    It cannot say where the value is an expression, is set by somebody else, is left open until the engine starts, or
    is described in words.
    """
    if isinstance(default.value, str) and " " in default.value:
        return None
    entry = entry_of(setting, contract) or {}
    who = default.set_by.split()[0]
    in_class = who == "verl" and default.set_by.endswith("Config") and "dataclass" in entry
    text = entry.get("dataclass" if in_class else "default")
    if setting.name == "cudagraph_mode":  # its field is None; VllmConfig fills it in
        text = contract.stated("graphs", "default_mode")
    if who != contract.project or text is None or (isinstance(text, str) and re.search(r"\$\{|\(|\?\?\?", text)):
        return None
    return None if _plain(text) == _plain(default.value) else text


def _plain(value: Any) -> str:
    text = str(value).lower()
    return SAME.get(text, text)
