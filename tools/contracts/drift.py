"""What changed between two contracts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from verl_rocm.facts.contract import Contract

SECTIONS = {
    "vllm": ("llm", "engine_args", "compilation_config", "sampling_params", "llm_methods", "env", "rocm", "graphs"),
    "verl": ("keys", "megatron_keys", "passed", "false_flags", "env", "env_set", "requires"),
}


@dataclass(frozen=True)
class Change:
    """One name of one section: gone, new, or with another default, allowed value or expression."""

    section: str
    name: str
    before: JsonValue
    after: JsonValue

    def __str__(self) -> str:
        if self.after is None:
            return f"{self.section}.{self.name}: gone (was {self.before})"
        if self.before is None:
            return f"{self.section}.{self.name}: new ({self.after})"
        return f"{self.section}.{self.name}: {_difference(self.before, self.after)}"


def _difference(before: JsonValue, after: JsonValue) -> str:
    """Only what differs: of two tables the keys, of two lists the items."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [k for k in sorted({*before, *after}) if before.get(k) != after.get(k)]
        return ", ".join(f"{k} {_difference(before.get(k), after.get(k))}" for k in keys)
    if isinstance(before, list) and isinstance(after, list):
        gone, new = [v for v in before if v not in after], [v for v in after if v not in before]
        return "; ".join(
            f"{word} {', '.join(map(str, part))}" for word, part in (("without", gone), ("with", new)) if part
        )
    return f"{before} -> {after}"


def changes(project: str, old: Contract, new: Contract) -> list[Change]:
    """Differences, section by section, sorted by name.

    A release that is known from a wheel alone says nothing about variables that C++, CMake or setup.py read, so a
    variable that only the other side has counts as changed when both sides are whole.
    """
    whole = old.get("whole") and new.get("whole")
    items = []
    for section in SECTIONS[project]:
        before, after = _section(old, section), _section(new, section)
        for name in sorted({*before, *after}):
            if before.get(name) == after.get(name):
                continue
            one_sided = name not in before or name not in after
            if section == "env" and not whole and (one_sided or _only_readers(before[name], after[name])):
                continue
            items.append(Change(section, name, before.get(name), after.get(name)))
    return items


def _section(contract: Contract, name: str) -> dict[str, JsonValue]:
    return cast(dict[str, JsonValue], contract.get(name, {}))


def _only_readers(before: JsonValue, after: JsonValue) -> bool:
    assert isinstance(before, dict) and isinstance(after, dict)
    return {k: v for k, v in before.items() if k != "by"} == {k: v for k, v in after.items() if k != "by"}
