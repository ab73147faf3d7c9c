"""What the release contracts say, as ranges of releases instead of one column each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from docutils import nodes
from pydantic import JsonValue

from facts_pages.markup import Cell, bullets, definitions, fields, literal, named, paragraph, table
from facts_pages.words import NAMES, span
from verl_rocm.facts.base import Facts
from verl_rocm.facts.contract import Method, Name, Places
from verl_rocm.facts.releases import Release, release

T = TypeVar("T")
UNSEEN = "not in the package that was read"


def contracts(facts: Facts, project: str) -> dict[str, Release]:
    """The stored releases of a project, oldest first."""
    return {v: release(project, v, facts.folder) for v in facts.releases.get(project, ())}


def names(contract: Release, section: str) -> dict[str, Name | Places]:
    """A section; ``constructor`` is all that ``LLM(...)`` takes, ``overrides`` the keys of both verl trainers."""
    both = {"constructor": ("llm", "engine_args"), "overrides": ("megatron_keys", "keys")}.get(section, (section,))
    sections = cast(Mapping[str, Mapping[str, Name | Places]], contract.sections)
    return {name: entry for part in both for name, entry in sections.get(part, {}).items() if name[0] != "*"}


def runs(known: Sequence[str], get: Callable[[str], T]) -> list[tuple[list[str], T]]:
    """Neighbouring releases for which ``get`` gives the same, with what it gives."""
    items: list[tuple[list[str], T]] = []
    for version in known:
        value = get(version)
        if items and items[-1][1] == value:
            items[-1][0].append(version)
        else:
            items.append(([version], value))
    return items


def default(entry: Name) -> str:
    """The default of a name as text; empty where the source states none."""
    if entry.get("unused"):
        return "declared, read nowhere"
    if entry.get("required"):
        return "required"
    value = entry.get("expr", entry.get("default", ""))
    return str(value) or ("''" if "default" in entry else "")


def signature(name: str, method: Method) -> str:
    """A method as it is called."""
    outcome = (f"{arg}={e['default']!r}" if "default" in e else arg for arg, e in method["arguments"].items())
    return f"{name}({', '.join(outcome)})"


def values(facts: Facts, options: dict[str, str]) -> list[nodes.Node]:
    """One stated value over all releases; ``yes``, ``no`` and ``none`` are the words for true, false and not there."""
    project, section, name = (options.get(o, "") for o in ("project", "section", "name"))
    stored = contracts(facts, project)

    def get(version: str) -> list[str]:
        result = stored[version].stated(section, name)
        if result is None:
            return [options.get("none", "not there")] if stored[version].sections["whole"] else [UNSEEN]
        if isinstance(result, bool):
            return [options.get("yes", "yes") if result else options.get("no", "no")]
        return ["", *_texts(name, result)]

    if not any(c.stated(section, name) is not None for c in stored.values()):
        return []
    rows: list[list[Cell]] = [[[span(v, list(stored))], _cell(texts)] for v, texts in runs(list(stored), get)]
    return [table(("Releases", "Value"), rows)]


def _texts(name: str, value: JsonValue) -> list[str]:
    if isinstance(value, dict):
        if "arguments" in value:
            return [signature(name, cast(Method, value))]
        return [f"{key}: {item}" for key, item in value.items()]
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _cell(texts: list[str]) -> Cell:
    """Words as they are; what follows an empty text comes from the source and is code."""
    if texts[0]:
        return [texts[0]]
    items: Cell = []
    for text in texts[1:]:
        items += [", ", literal(text)] if items else [literal(text)]
    return items


def list_of_names(facts: Facts, options: dict[str, str]) -> list[nodes.Node]:
    """The names of a section: in which releases, with which default. ``match`` is a regular expression, ``of`` limits
    it to the guide's ``settings`` or to the arguments that verl ``passed``, ``last`` shows the newest value alone."""
    project, section = options.get("project", ""), options.get("section", "")
    stored = contracts(facts, project)
    entries = {version: names(contract, section) for version, contract in stored.items()}
    required = _selection(facts, options.get("of", ""))
    listed = {n for e in entries.values() for n in e if re.search(options.get("match", ""), n)}
    node: list[tuple[nodes.Node, nodes.Node]] = []
    for name in sorted(listed if required is None else listed & required):
        having = [v for v in stored if name in entries[v]]
        # A wheel has no C++ and no CMake, so that a variable which is missing in it says nothing.
        known = [v for v in stored if v in having or section != "env" or stored[v].sections["whole"]]
        shown = having[-1:] if "last" in options else having
        text = _defaults(runs(shown, lambda v, name=name: _texts_of(entries[v][name])))  # type: ignore[misc]
        word = f". {options.get('value', 'Default')}: " if text else "."
        node.append((named(facts, name), paragraph(_opening(span(having, known)), word, *text)))
    return [definitions(node, "fact-names")] if node else []


def _opening(text: str) -> str:
    return "In all releases" if text == "all" else text[0].upper() + text[1:]


def _selection(facts: Facts, of: str) -> set[str] | None:
    if of == "settings":
        return {setting.name for setting in facts.settings.values()}
    if of == "passed":
        newest = list(contracts(facts, "verl").values())[-1:]
        return {name for contract in newest for name in names(contract, "passed")} | (
            _selection(facts, "settings") or set()
        )
    return None


def _texts_of(entry: Name | Places) -> tuple[str, ...]:
    """What a section says of a name: its default, or the text that stands there with each place that has it."""
    if entry and not {"default", "expr", "required", "by"} & set(entry):
        places: dict[str, list[str]] = {}
        for place, text in sorted(cast(Places, entry).items()):
            places.setdefault(text, []).append(place)
        return tuple(f"{text}  in {' and '.join(where)}" for text, where in places.items())
    entry = cast(Name, entry)
    return (default(entry), "+") if entry.get("add") else (default(entry),)


def _defaults(outcome: list[tuple[list[str], tuple[str, ...]]]) -> Cell:
    items: Cell = []
    for having, texts in outcome:
        items += ["; "] if items and texts != ("",) else []
        for number, text in enumerate(t for t in texts if t not in ("", "+")):
            code, _, place = text.partition("  ")  # two spaces part what stands there from where
            items += [", " if number else "", literal(code), f" {place}" if place else ""]
        items += [", needs ", literal("+")] if "+" in texts else []
        items += [f" from {having[0]}"] if len(outcome) > 1 and texts != ("",) else []
    return items


def changes(facts: Facts, options: dict[str, str]) -> list[nodes.Node]:
    """Names that came and went, release by release; releases without a change are left out."""
    stored = contracts(facts, options.get("project", ""))
    pairs = list(zip(list(stored.values())[1:], stored.values(), strict=False))
    rows: list[tuple[str, nodes.Node | None]] = []
    for new, old in reversed(pairs):
        have, had = set(names(new, options.get("section", ""))), set(names(old, options.get("section", "")))
        parts = [("New: ", sorted(have - had)), ("Gone: ", sorted(had - have))]
        items = [paragraph(word, *_cell(["", *item])) for word, item in parts if item]
        if items:
            rows.append((new.version, nodes.container("", *items)))
    return [fields(rows)] if rows else []


def summary(facts: Facts) -> list[nodes.Node]:
    """What the base holds, counted."""
    stored = [
        f"{len(known)} releases of {NAMES[project]}, {known[0]} to {known[-1]}"
        for project, known in facts.releases.items()
        if known
    ]
    counted = [(len(facts.settings), "settings"), (len(facts.issues), "known issues"), (len(facts.gpus), "GPUs")]
    return [bullets(paragraph(text) for text in [*(f"{count} {word}" for count, word in counted), *stored])]
