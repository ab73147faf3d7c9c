"""What settings, issues and GPUs share: a section with its anchor, the trust it deserves, its sources."""

from __future__ import annotations

from collections.abc import Iterable

from docutils import nodes
from sphinx import addnodes

from facts_pages import words
from facts_pages.markup import entry_link, literal, paragraph
from facts_pages.sources import sources
from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Entry
from verl_rocm.facts.versions import Versions


def section(
    kind: str, name: str, title: nodes.Node, body: Iterable[nodes.Node], errors: Iterable[str] = ()
) -> nodes.section:
    """A section with the anchor ``name``; each error text leads there from the index and from the site's search."""
    node = nodes.section(ids=[name], names=[name], classes=["fact-entry"], fact=kind)
    # Curly quotes in a title would hide it from the site's search, where the reader types straight ones.
    node += nodes.title("", "", title, support_smartquotes=False)
    items = [("single", text.replace(";", ","), name, "main", None) for text in errors]
    if items:
        node += addnodes.index(entries=items)
    node += list(body)
    return node


def where(versions: Versions, nothing: str) -> nodes.paragraph:
    """Where something holds, or ``nothing`` if it is not limited."""
    return paragraph(words.versions(versions) or nothing)


def trust(facts: Facts, entry: Entry) -> list[tuple[str, nodes.Node | None]]:
    """The last fields of an entry: related entries, confidence, day and file, sources."""
    related = [facts.settings.get(name) or facts.issues[name] for name in entry.see]
    links: list[nodes.Node | str] = []
    for other in related:
        links += [", ", entry_link(other)] if links else [entry_link(other)]
    text = paragraph(nodes.inline("", words.CONFIDENCE[entry.confidence], classes=[f"fact-{entry.confidence}"]))
    text += [nodes.Text(f" Checked {entry.checked}, kept in "), literal(facts.file[entry.id]), nodes.Text(".")]
    return [
        ("See also", paragraph(*links) if links else None),
        ("Confidence", text),
        ("Sources", sources(entry.evidence)),
    ]
