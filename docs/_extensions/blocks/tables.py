"""Tables over all blocks: ``verification-table`` and ``evidence-summary``."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from blocks.domain import Shown, domain_of
from blocks.state import State, current
from guide.evidence import statement, statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

AMD = "AMD GPU"


class Pending(nodes.General, nodes.Element):
    """Stands where a table goes until every page has been read."""


class TableDirective(SphinxDirective):
    """Both directives: neither takes an argument or content."""

    def run(self) -> list[nodes.Node]:
        domain_of(self.env).page.table = ""
        return [Pending(kind=self.name)]


def register(app: Sphinx) -> None:
    """Add the directives and the step that fills them in."""
    app.add_node(Pending)
    app.add_directive("verification-table", TableDirective)
    app.add_directive("evidence-summary", TableDirective)
    app.connect("doctree-resolved", fill)


def rows(state: State, shown: list[Shown]) -> list[tuple[str, str, list[str]]]:
    """One row a shown block: page, region id, and what each machine class says of it."""
    items = []
    for item in shown:
        region = state.regions.get(item.region)
        if region is not None:
            cells = [statement(record, region) for record in state.records]
            items.append((item.docname, item.region, [str(cell) if cell else "no record yet" for cell in cells]))
    return items


def summary(state: State, shown: list[Shown]) -> dict[str, int]:
    """How many shown regions have which strongest word, strongest first."""
    regions = sorted({item.region for item in shown} & set(state.regions))
    first = [statements(state.records, state.regions[region])[0] for region in regions]
    counted = Counter((entry.rank, entry.word) for entry in first)
    return {word: count for (_, word), count in sorted(counted.items(), reverse=True)}


def outdated(app: Sphinx, env: BuildEnvironment) -> Iterable[str]:
    """Pages with a table whose content is not what they were written with."""
    state, domain = current(env), domain_of(env)
    shown = domain.shown()
    now = json.dumps([rows(state, shown), summary(state, shown)])
    stale = [docname for docname, page in domain.pages.items() if page.table not in (None, now)]
    for docname in stale:
        domain.pages[docname].table = now
    return stale


def has_amd(state: State) -> bool:
    """Whether any record comes from an AMD GPU."""
    return any(run.machine.accelerator == "rocm" for record in state.records for run in record.runs.values())


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Replace each pending table of a page."""
    for node in list(doctree.findall(Pending)):
        state, shown = current(app.env), domain_of(app.env).shown()
        result = _table(app, docname, state, shown) if node["kind"] == "verification-table" else _summary(state, shown)
        node.replace_self(result)


def _summary(state: State, shown: list[Shown]) -> list[nodes.Node]:
    box = nodes.bullet_list(classes=["block-summary"])
    counted = summary(state, shown)
    if not has_amd(state):
        counted = {"run on ROCm": 0, **counted}
    for word, count in counted.items():
        item = nodes.list_item()
        text = nodes.paragraph()
        text += nodes.inline("", word, classes=["block-badge", f"block-{word.replace(' ', '-')}"])
        text += nodes.Text(f" {count} block{'' if count == 1 else 's'}")
        item += text
        box += item
    return [box]


def _entry(*children: nodes.Node) -> nodes.entry:
    entry = nodes.entry()
    entry += nodes.paragraph("", "", *children)
    return entry


def _table(app: Sphinx, docname: str, state: State, shown: list[Shown]) -> list[nodes.Node]:
    classes = [record.machine_class for record in state.records] + ([] if has_amd(state) else [AMD])
    table = nodes.table(classes=["block-table"])
    group = nodes.tgroup(cols=len(classes) + 1)
    table += group
    for width in [3, *([4] * len(state.records)), *([] if has_amd(state) else [2])]:
        group += nodes.colspec(colwidth=width)
    head, body = nodes.thead(), nodes.tbody()
    group += [head, body]
    head += nodes.row("", *(_entry(nodes.Text(text)) for text in ["Block", *classes]))
    for page, region, cells in rows(state, shown):
        uri: Any = app.builder.get_relative_uri(docname, page)
        link = nodes.reference("", region, refuri=uri, internal=True)
        empty = [] if has_amd(state) else ["never run"]
        body += nodes.row("", _entry(link), *(_entry(nodes.Text(cell)) for cell in [*cells, *empty]))
    return [table]
