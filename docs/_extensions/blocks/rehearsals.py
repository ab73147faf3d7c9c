"""``rehearsal-table``: the builds of vLLM that ``make test-build`` rehearsed, from their record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from guide.records.rehearsals import RECORD, Rehearsals, Result, load

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def cell(result: Result | None) -> str:
    """What the table says of one step of one release."""
    if result is None:
        return "not run"
    return f"{result.seconds:.1f}\u00a0s" if result.status == "passed" else "failed"


def rows(rehearsals: Rehearsals) -> list[list[str]]:
    """The table: a step a row, a release a column."""
    return [[name, *(cell(results.get(name)) for results in rehearsals.results.values())] for name in rehearsals.steps]


def _row(texts: list[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in texts))


def _table(head: list[str], rows: list[list[str]]) -> nodes.table:
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group, classes=["block-table"])


def _steps(rehearsals: Rehearsals) -> nodes.definition_list:
    items = nodes.definition_list()
    for name, step in rehearsals.steps.items():
        definition = nodes.definition("", nodes.paragraph("", f"Really happens: {step.really}."))
        replaced = nodes.bullet_list("", *(nodes.list_item("", nodes.paragraph("", text)) for text in step.replaced))
        definition += (
            [nodes.paragraph("", "Replaced:"), replaced]
            if step.replaced
            else [nodes.paragraph("", "Replaced: nothing.")]
        )
        seen = [
            nodes.list_item("", nodes.paragraph("", f"{release}: {results[name].seen}"))
            for release, results in rehearsals.results.items()
            if name in results
        ]
        definition += [nodes.paragraph("", "Seen:"), nodes.bullet_list("", *seen)] if seen else []
        items += nodes.definition_list_item("", nodes.term("", name), definition)
    return items


class RehearsalTable(SphinxDirective):
    """The table release x step, or with the argument ``steps`` what each step does, replaces and showed."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / RECORD
        self.env.note_dependency(str(path))
        try:
            outcome = load(path)
        except ValueError as error:
            raise self.error(str(error)) from None
        if outcome is None:
            return [nodes.paragraph("", "No rehearsal has been recorded: run make test-build.")]
        if self.arguments == ["steps"]:
            return [_steps(outcome)]
        items = [result for results in outcome.results.values() for result in results.values()]
        days = sorted({f"{result.ended:%Y-%m-%d}" for result in items})
        loads = sorted(result.load for result in items)
        text = (
            f"{outcome.machine}; {days[0]}{f' to {days[-1]}' if len(days) > 1 else ''}; the load average was"
            f" {loads[0]:.1f} to {loads[-1]:.1f}, so that the seconds are upper limits."
        )
        return [_table(["step", *outcome.results], rows(outcome)), nodes.paragraph("", text)]


def register(app: Sphinx) -> None:
    """Add the directive."""
    app.add_directive("rehearsal-table", RehearsalTable)
