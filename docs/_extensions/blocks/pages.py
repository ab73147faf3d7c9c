"""Checks of a page after it is read: every block comes from a snippet, or says that it does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

from guide.regions import MARKER_LIKE, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.environment import BuildEnvironment

SKETCH = "sketch"


def _is_doctest(block: nodes.Element) -> bool:
    """Whether Sphinx' own doctest builder runs the block."""
    return isinstance(block, nodes.doctest_block) or "testnodetype" in block


def _label() -> nodes.Node:
    label = nodes.paragraph(classes=["block-evidence", "block-statement"])
    label += nodes.inline("", "sketch, not run", classes=["block-badge", "block-sketch"])
    return label


def check_page(env: BuildEnvironment, doctree: nodes.document) -> Iterator[Fault]:
    """The faults of a page's blocks; labels its sketches on the way."""
    for block in list(doctree.findall(nodes.literal_block)) + list(doctree.findall(nodes.doctest_block)):
        where = (str(block.source or env.doc2path(env.docname)), int(block.line or 1))
        if any(MARKER_LIKE.search(line) for line in block.astext().splitlines()):
            yield Fault("leak", *where, "a marker line of a snippet is shown to the reader")
        if "block_region" in block or _is_doctest(block):
            continue
        if SKETCH in block["classes"]:
            target = block.parent if isinstance(block.parent, nodes.container) else block
            target.parent.insert(target.parent.index(target) + 1, _label())
        else:
            yield Fault("no_snippet", *where, "this block comes from no snippet: include a region, or class 'sketch'")
