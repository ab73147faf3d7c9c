"""Names in pages, and the releases that a page claims.

A page says what it holds for in the field list at its very top (in MyST: in the front matter)::

    :vllm: 0.24.0, 0.30.0
    :verl: >=0.9
    :gone: VLLM_GPU_LANG, disable_mm_preprocessor_cache

``gone`` lists names that the page explains as gone or never read; each must really be so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from tools.names.named import Named, environment, overrides, shell
from verl_rocm.facts.versions import contains

FIELD = re.compile(r":?(vllm|verl|gone):\s+(.+)")
LITERAL = {".rst": re.compile(r"``([^`]+)``|:(?:envvar|code):`([^`]+)`"), ".md": re.compile(r"`([^`]+)`")}
WORD = re.compile(r"(?<![\w./:@-])(?:--(?:no-)?)?([a-z][a-z0-9]*(?:[_-][a-z0-9]+)+)(?![\w./(-])")
KEYWORD = re.compile(r"(?<![\w.])([a-z][a-z0-9]*(?:_[a-z0-9]+)+)\s?=(?!=)")
INCLUDE = re.compile(r"literalinclude::\s+/snippets/(\S+)|```\{literalinclude\}\s+/snippets/(\S+)")


@dataclass(frozen=True, eq=False)
class Page:
    """One page: what it claims, what it shows, what it names."""

    path: str
    claims: dict[str, str]
    gone: frozenset[str]
    snippets: frozenset[str]
    names: tuple[Named, ...]


class ClaimError(Exception):
    """A page claims releases that cannot be told; the text is one line."""


def read(path: Path, shown: str) -> Page:
    """Everything that one page names."""
    lines = path.read_text(encoding="utf-8").splitlines()
    fields = _fields(lines)
    gone = frozenset(re.split(r"[,\s]+", fields.pop("gone", "").strip())) - {""}
    included = frozenset(name for line in lines for pair in INCLUDE.findall(line) for name in pair if name)
    names = tuple(dict.fromkeys(_names(lines, path.suffix, shown)))
    return Page(shown, fields, gone, included, names)


def _fields(lines: list[str]) -> dict[str, str]:
    entries: dict[str, str] = {}
    for line in lines:
        if match := FIELD.fullmatch(line.strip()):
            entries[match[1]] = match[2].strip("\"' ")
        elif line.strip() and line.strip() != "---" and not re.match(r":?[\w-]+:", line):
            break
    return entries


def _names(lines: list[str], suffix: str, shown: str) -> Iterator[Named]:
    for number, line in enumerate(lines, start=1):
        if FIELD.fullmatch(line.strip()) or re.match(r"\s*:[\w-]+:( |$)|\s*\.\. \w", line):
            continue  # fields and options of directives
        text = re.sub(r"<https?://[^>\s]+>|\]\(https?://[^)\s]+\)|https?://\S+", " ", line)
        text = text.replace(":setting:`", ":setting:`++")  # a setting has its bare name, whatever signs a command needs
        yield from overrides(text, shown, number)
        for groups in LITERAL[suffix].findall(text):
            literal = next(g for g in (groups if isinstance(groups, tuple) else (groups,)) if g)
            yield from environment(literal, shown, number)
            for word in WORD.findall(literal):
                yield Named("word", word.replace("-", "_"), shown, number)
        if re.match(r"\s{3}|\t", line):  # a block that the page itself holds
            yield from (Named("word", word, shown, number) for word in KEYWORD.findall(text))
            yield from shell(re.sub(r"`+[^`]*`+_*", " ", text), shown, number)


def releases(claim: str, known: tuple[str, ...], where: str) -> list[str]:
    """The stored releases that a claim such as ``0.24.0, 0.30.0`` or ``>=0.9`` means."""
    words = [w for w in re.split(r"[,\s]+", claim.strip()) if w]
    if words and all(re.fullmatch(r"\d[\w.]*", w) for w in words):
        missing = [w for w in words if w not in known]
        if missing:
            raise ClaimError(f"{where}: {', '.join(missing)} is not stored; correct the claim or run `make releases`")
        return words
    try:
        spec = str(SpecifierSet(claim))
    except InvalidSpecifier:
        raise ClaimError(f"{where}: {claim!r} names no releases; write 0.24.0, 0.30.0 or >=0.24") from None
    items = [k for k in known if contains(spec, k)]
    if not items:
        raise ClaimError(f"{where}: no stored release lies in {claim!r}; correct the claim or run `make releases`")
    return items
