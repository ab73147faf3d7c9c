"""The directives: each shows what ``render`` makes of its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from facts_pages.domain import domain_of
from facts_pages.render import Key, digest, render
from facts_pages.state import current

if TYPE_CHECKING:
    from sphinx.util.typing import OptionSpec

logger = logging.getLogger(__name__)


class FactsDirective(SphinxDirective):
    """Shows facts; a selection that finds none is a warning of type ``facts.empty``."""

    option_spec: ClassVar[OptionSpec] = {}

    def run(self) -> list[nodes.Node]:
        """The nodes of the selected facts, with their anchors noted."""
        facts, domain = current(self.env), domain_of(self.env)
        entries = {name: "" if value is None else str(value) for name, value in self.options.items()}
        key: Key = (self.name, tuple(sorted(entries.items())))
        items = [] if facts is None else render(facts, key)
        domain.use(self.env.docname, key, digest(items))
        if facts is None:
            return [nodes.paragraph("", "The facts could not be loaded, so nothing can be shown here.")]
        if not items:
            options = " ".join(f":{name}: {value}" for name, value in key[1])
            logger.warning(
                f"no fact matches {self.name} {options}", location=self.get_location(), type="facts", subtype="empty"
            )
        for node in items:
            self.set_source_info(node)
            for section in node.findall(nodes.section):
                self.state.document.note_explicit_target(section, section)
                domain.note(self.env.docname, section["fact"], section["ids"][0])
            for reference in node.findall(addnodes.pending_xref):
                self.set_source_info(reference)
                reference["refdoc"] = self.env.docname
        return items


class Settings(FactsDirective):
    """Settings."""

    option_spec: ClassVar[OptionSpec] = {
        "goal": directives.unchanged_required,
        "where": directives.unchanged_required,
        "brief": directives.flag,
    }


class KnownIssues(FactsDirective):
    """Known issues."""

    option_spec: ClassVar[OptionSpec] = {
        "goal": directives.unchanged_required,
        "group": directives.unchanged_required,
        "brief": directives.flag,
    }


class Brief(FactsDirective):
    """Everything of one kind: GPUs, images. With ``:brief:`` one table to compare them."""

    option_spec: ClassVar[OptionSpec] = {"brief": directives.flag}


class Releases(FactsDirective):
    """What the contracts of a project's releases say."""

    option_spec: ClassVar[OptionSpec] = {
        **dict.fromkeys(
            ("project", "section", "name", "match", "of", "value", "yes", "no", "none"), directives.unchanged_required
        ),
        "last": directives.flag,
    }


DIRECTIVES: dict[str, type[FactsDirective]] = {
    "settings": Settings,
    "known-issues": KnownIssues,
    "gpu-table": Brief,
    "image-table": Brief,
    "release-values": Releases,
    "release-names": Releases,
    "release-changes": Releases,
    "facts-summary": FactsDirective,
}
