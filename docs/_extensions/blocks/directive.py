"""The ``literalinclude`` of this guide: one named region of a snippet, with its evidence below it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from sphinx import addnodes
from sphinx.directives.code import LiteralInclude

from blocks.domain import BlockDomain, Shown, domain_of
from blocks.state import current
from guide.evidence import Statement, statements

if TYPE_CHECKING:
    from sphinx.util.typing import OptionSpec

    from guide.regions import Region

SELECTORS = frozenset(
    {"lines", "pyobject", "diff", "start-at", "end-at", "prepend", "append", "emphasize-lines", "lineno-match"}
)


class BlockInclude(LiteralInclude):
    """``literalinclude`` that shows exactly one region, and says what that region last ran on."""

    option_spec: ClassVar[OptionSpec] = LiteralInclude.option_spec

    def run(self) -> list[nodes.Node]:
        domain = domain_of(self.env)
        source, line = self.state_machine.get_source_and_line(self.lineno)
        where = (str(source), int(line or 0))
        region = self._region(domain, where)
        banned = sorted(SELECTORS & set(self.options))
        if banned:
            domain.fault("lines", *where, f":{banned[0]}: drifts when the snippet changes; name a region instead")
        if region is None:
            # The node is marked, so that the page check does not report the same block twice.
            shown = super().run()
            for block in _literal_blocks(shown):
                block["block_region"] = ""
            return shown
        self.options.setdefault("language", region.language)
        self.options["dedent"] = None
        shown = super().run()
        for block in _literal_blocks(shown):
            block["block_region"] = region.id
            # A formatter leaves blank lines before the end marker of a function; the reader need not see them.
            text = block.astext().strip("\n")
            block.rawsource, block.children = text, []
            block += nodes.Text(text)
        result = statements(current(self.env).records, region)
        entry = Shown(self.env.docname, region.id, str(self.options["language"]), tuple(map(str, result)))
        domain.page.shown.append(entry)
        return [*shown, self._evidence(region, result)]

    def _region(self, domain: BlockDomain, where: tuple[str, int]) -> Region | None:
        """The region that the options name; a fault and ``None`` where they name none."""
        state = current(self.env)
        relative, absolute = self.env.relfn2path(self.arguments[0])
        path = Path(absolute)
        if not path.is_relative_to(state.snippets):
            domain.fault("no_snippet", *where, f"{relative} is not below snippets/, so no test runs it")
            return None
        file = path.relative_to(state.snippets).as_posix()
        start, end = self.options.get("start-after", ""), self.options.get("end-before", "")
        name = start.removeprefix("# [start:").removesuffix("]")
        if (start, end) != (f"# [start:{name}]", f"# [end:{name}]"):
            domain.fault("unknown", *where, f"the block must name a region of {file} with both its markers")
            return None
        region = state.regions.get(f"{file}:{name}")
        if region is None:
            domain.fault("unknown", *where, f"snippets/{file} has no sound region '{name}'")
        return region

    def _evidence(self, region: Region, result: list[Statement]) -> nodes.Node:
        """Evidence lines, then the link to the whole file and the download."""
        box = nodes.container(classes=["block-evidence"])
        for item in result:
            paragraph = nodes.paragraph(classes=["block-statement"])
            paragraph += nodes.inline("", item.word, classes=["block-badge", f"block-{item.kind}"])
            paragraph += nodes.Text(" " + item.text)
            box += paragraph
        links = nodes.paragraph(classes=["block-links"])
        up = "../" * self.env.docname.count("/")
        uri = f"{up}snippets/{region.file}.html"
        links += nodes.reference("", "whole file", refuri=uri, internal=True, classes=["block-source"])
        links += nodes.Text(" · ")
        target = f"/snippets/{region.file}"
        download = addnodes.download_reference("", "", reftarget=target, refdoc=self.env.docname)
        download += nodes.inline("", "download", classes=["download"])
        links += download
        box += links
        return box


def _literal_blocks(children: list[nodes.Node]) -> list[nodes.literal_block]:
    return [block for node in children for block in node.findall(nodes.literal_block)]
