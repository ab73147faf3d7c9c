"""Small docutils nodes, and text of facts with its names and pull requests as links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from docutils import nodes
from sphinx import addnodes

from verl_rocm.facts.base import Facts
from verl_rocm.facts.evidence import Thread
from verl_rocm.facts.schema import Entry, Issue

Cell = list[nodes.Node | str]
TOKEN = re.compile(r"`([^`]+)`|(?<![\w/])#(\d+)")


def literal(text: str) -> nodes.literal:
    """Inline code: searchable, left alone by smart quotes."""
    return nodes.literal("", text)


def paragraph(*children: nodes.Node | str) -> nodes.paragraph:
    """A paragraph of nodes and plain text."""
    return nodes.paragraph("", "", *(nodes.Text(c) if isinstance(c, str) else c for c in children))


def bullets(items: Iterable[nodes.Element], *classes: str) -> nodes.bullet_list:
    """One bullet for each element."""
    return nodes.bullet_list("", *(nodes.list_item("", item) for item in items), classes=list(classes))


def fields(pairs: Iterable[tuple[str, nodes.Node | None]]) -> nodes.field_list:
    """A list of named fields; those without a body are left out."""
    node = nodes.field_list(classes=["fact"])
    for name, body in pairs:
        if body is not None:
            node += nodes.field("", nodes.field_name("", name), nodes.field_body("", body))
    return node


def definitions(items: Iterable[tuple[nodes.Node, nodes.Node]], *classes: str) -> nodes.definition_list:
    """A list of terms, each with one paragraph or more."""
    definition = (nodes.definition_list_item("", nodes.term("", "", t), nodes.definition("", d)) for t, d in items)
    return nodes.definition_list("", *definition, classes=list(classes))


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> nodes.table:
    """A table of one-paragraph cells."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", nodes.row("", *(nodes.entry("", paragraph(text)) for text in head)))
    group += nodes.tbody("", *(nodes.row("", *(nodes.entry("", paragraph(*cell)) for cell in row)) for row in rows))
    return nodes.table("", group, classes=["fact-table"])


def link(text: str, url: str) -> nodes.reference:
    """A link out of the guide."""
    return nodes.reference("", text, refuri=url, internal=False)


def entry_link(entry: Entry, shown: nodes.Node | None = None) -> addnodes.pending_xref:
    """A link to the anchor of a setting (its name) or an issue (its title)."""
    kind = "issue" if isinstance(entry, Issue) else "setting"
    text = shown or (nodes.inline("", entry.title) if isinstance(entry, Issue) else literal(getattr(entry, "name", "")))
    return addnodes.pending_xref(
        "", text, refdomain="facts", reftype=kind, reftarget=entry.id, refexplicit=True, refwarn=True
    )


def code(text: str) -> list[nodes.Node]:
    """Text in which names in backticks become code."""
    parts = text.split("`")
    return [literal(part) if number % 2 else nodes.Text(part) for number, part in enumerate(parts) if part]


def prose(facts: Facts, text: str, about: Entry | None = None) -> list[nodes.Node]:
    """Text of a fact: names in backticks become code, with a link if a setting has that name; ``#1234`` becomes a link
    if the evidence of ``about`` has one thread of that number."""
    text = " ".join(text.split())
    children: list[nodes.Node] = []
    end = 0
    for match in TOKEN.finditer(text):
        name, number = match.groups()
        node = named(facts, name, about) if name else _thread(int(number), about)
        if node is None:
            continue
        children += [nodes.Text(text[end : match.start()]), node]
        end = match.end()
    return [*children, nodes.Text(text[end:])]


def named(facts: Facts, name: str, about: Entry | None = None) -> nodes.Node:
    """A name as code, with a link if one setting has it."""
    settings = [k for k in facts.settings.values() if k.name == name]
    if len(settings) == 1 and settings[0] is not about:
        return entry_link(settings[0])
    return literal(name)


def _thread(number: int, about: Entry | None) -> nodes.Node | None:
    names = {thread_url(e) for e in about.evidence if isinstance(e, Thread) and e.number == number} if about else set()
    return link(f"#{number}", names.pop()) if len(names) == 1 else None


def thread_url(thread: Thread) -> str:
    """Where an issue or a pull request stands."""
    return f"https://github.com/{thread.repo}/{'pull' if thread.type == 'pr' else 'issues'}/{thread.number}"
