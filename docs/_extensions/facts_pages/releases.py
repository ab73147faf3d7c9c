"""What the release contracts say, as ranges of releases instead of one column each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from docutils import nodes

from facts_pages.markup import Cell, bullets, definitions, fields, literal, named, paragraph, table
from facts_pages.words import NAMES, span
from verl_rocm.facts.base import Facts
from verl_rocm.facts.releases import Entry, Release, release

T = TypeVar("T")
UNSEEN = "not in the package that was read"


def contracts(facts: Facts, project: str) -> dict[str, Release]:
    """The stored releases of a project, oldest first."""
    return {v: release(project, v, facts.folder) for v in facts.releases.get(project, ())}


def names(contract: Release, section: str) -> dict[str, Entry]:
    """A section; ``constructor`` is all that ``LLM(...)`` takes, ``overrides`` the keys of both verl trainers."""
    both = {"constructor": ("llm", "engine_args"), "overrides": ("megatron_keys", "keys")}.get(section, (section,))
    return {name: entry for part in both for name, entry in contract.section(part).items() if name[0] != "*"}


def runs(known: Sequence[str], get: Callable[[str], T]) -> list[tuple[list[str], T]]:
    """Neighbouring releases for which ``get`` gives the same, with what it gives."""
    made: list[tuple[list[str], T]] = []
    for version in known:
        value = get(version)
        if made and made[-1][1] == value:
            made[-1][0].append(version)
        else:
            made.append(([version], value))
    return made


def default(entry: Entry) -> str:
    """The default of a name as text; empty where the source states none."""
    if entry.get("unused"):
        return "declared, read nowhere"
    if entry.get("required"):
        return "required"
    value = entry.get("expr", entry.get("default", ""))
    return str(value) or ("''" if "default" in entry else "")


def signature(name: str, method: Entry) -> str:
    """A method as it is called."""
    given = (f"{arg}={e['default']!r}" if "default" in e else arg for arg, e in method["arguments"].items())
    return f"{name}({', '.join(given)})"


def values(facts: Facts, options: dict[str, str]) -> list[nodes.Node]:
    """One stated value over all releases; ``yes``, ``no`` and ``none`` are the words for true, false and not there."""
    project, section, name = (options.get(o, "") for o in ("project", "section", "name"))
    stored = contracts(facts, project)

    def get(version: str) -> list[str]:
        found = stored[version].stated(section, name)
        if found is None:
            return [options.get("none", "not there")] if stored[version].sections["whole"] else [UNSEEN]
        if isinstance(found, bool):
            return [options.get("yes", "yes") if found else options.get("no", "no")]
        return ["", *_texts(name, found)]

    if not any(c.stated(section, name) is not None for c in stored.values()):
        return []
    rows: list[list[Cell]] = [[[span(v, list(stored))], _cell(texts)] for v, texts in runs(list(stored), get)]
    return [table(("Releases", "Value"), rows)]


def _texts(name: str, found: Any) -> list[str]:
    if isinstance(found, dict):
        if "arguments" in found:
            return [signature(name, found)]
        return [f"{key}: {value}" for key, value in found.items()]
    return [str(x) for x in found] if isinstance(found, list) else [str(found)]


def _cell(texts: list[str]) -> Cell:
    """Words as they are; what follows an empty text comes from the source and is code."""
    if texts[0]:
        return [texts[0]]
    made: Cell = []
    for text in texts[1:]:
        made += [", ", literal(text)] if made else [literal(text)]
    return made


def list_of_names(facts: Facts, options: dict[str, str]) -> list[nodes.Node]:
    """The names of a section: in which releases, with which default. ``match`` is a regular expression, ``of`` limits
    it to the guide's ``settings`` or to the arguments that verl ``passed``, ``last`` shows the newest value alone."""
    project, section = options.get("project", ""), options.get("section", "")
    stored = contracts(facts, project)
    entries = {version: names(contract, section) for version, contract in stored.items()}
    wanted = _wanted(facts, options.get("of", ""))
    listed = {n for e in entries.values() for n in e if re.search(options.get("match", ""), n)}
    made: list[tuple[nodes.Node, nodes.Node]] = []
    for name in sorted(listed if wanted is None else listed & wanted):
        having = [v for v in stored if name in entries[v]]
        # A wheel has no C++ and no CMake, so that a variable which is missing in it says nothing.
        known = [v for v in stored if v in having or section != "env" or stored[v].sections["whole"]]
        shown = having[-1:] if "last" in options else having
        said = _defaults(runs(shown, lambda v, name=name: _said(entries[v][name])))  # type: ignore[misc]
        word = f". {options.get('value', 'Default')}: " if said else "."
        made.append((named(facts, name), paragraph(_said_span(span(having, known)), word, *said)))
    return [definitions(made, "fact-names")] if made else []


def _said_span(text: str) -> str:
    return "In all releases" if text == "all" else text[0].upper() + text[1:]


def _wanted(facts: Facts, of: str) -> set[str] | None:
    if of == "settings":
        return {setting.name for setting in facts.settings.values()}
    if of == "passed":
        newest = list(contracts(facts, "verl").values())[-1:]
        return {name for contract in newest for name in names(contract, "passed")} | (
            _wanted(facts, "settings") or set()
        )
    return None


def _said(entry: Entry) -> tuple[str, ...]:
    """What a section says of a name: its default, or the text that stands there with each place that has it."""
    if entry and not {"default", "expr", "required", "by"} & set(entry):
        places: dict[str, list[str]] = {}
        for place, text in sorted(entry.items()):
            places.setdefault(str(text), []).append(place)
        return tuple(f"{text}  in {' and '.join(where)}" for text, where in places.items())
    return (default(entry), "+") if entry.get("add") else (default(entry),)


def _defaults(said: list[tuple[list[str], tuple[str, ...]]]) -> Cell:
    made: Cell = []
    for having, texts in said:
        made += ["; "] if made and texts != ("",) else []
        for number, text in enumerate(t for t in texts if t not in ("", "+")):
            code, _, place = text.partition("  ")  # two spaces part what stands there from where
            made += [", " if number else "", literal(code), f" {place}" if place else ""]
        made += [", needs ", literal("+")] if "+" in texts else []
        made += [f" from {having[0]}"] if len(said) > 1 and texts != ("",) else []
    return made


def changes(facts: Facts, options: dict[str, str]) -> list[nodes.Node]:
    """Names that came and went, release by release; releases without a change are left out."""
    stored = contracts(facts, options.get("project", ""))
    pairs = list(zip(list(stored.values())[1:], stored.values(), strict=False))
    rows: list[tuple[str, nodes.Node | None]] = []
    for new, old in reversed(pairs):
        have, had = set(names(new, options.get("section", ""))), set(names(old, options.get("section", "")))
        parts = [("New: ", sorted(have - had)), ("Gone: ", sorted(had - have))]
        told = [paragraph(word, *_cell(["", *found])) for word, found in parts if found]
        if told:
            rows.append((new.version, nodes.container("", *told)))
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
