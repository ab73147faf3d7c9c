"""Where each entry stands, what each page shows, and the roles that link to entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from sphinx.domains import Domain, ObjType
from sphinx.roles import XRefRole
from sphinx.util.nodes import make_refnode

from facts_pages.render import Key, digest, find, render
from facts_pages.state import current
from verl_rocm.facts.schema import Issue

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from docutils.nodes import Element, Node, system_message
    from sphinx.addnodes import pending_xref
    from sphinx.builders import Builder
    from sphinx.environment import BuildEnvironment


@dataclass
class Page:
    """The entries that a page holds, by kind and id, and what its directives and roles show, with a digest of each."""

    entries: list[tuple[str, str]] = field(default_factory=list)
    uses: dict[Key, str] = field(default_factory=dict)


class FactsDomain(Domain):
    """Entries and uses of facts by page."""

    name = "facts"
    label = "facts"
    object_types: ClassVar[dict[str, ObjType]] = {k: ObjType(k, k) for k in ("setting", "issue", "gpu", "image")}
    initial_data: ClassVar[dict[str, dict[str, Page]]] = {"pages": {}}
    data_version = 2
    dangling_warnings: ClassVar[dict[str, str]] = {
        "setting": "no setting %(target)r on the pages made from the facts, or two have this name: use the id",
        "issue": "no known issue %(target)r on the pages made from the facts",
    }

    @property
    def pages(self) -> dict[str, Page]:
        """Pages by name."""
        pages: dict[str, Page] = self.data["pages"]
        return pages

    @property
    def holders(self) -> dict[tuple[str, str], list[str]]:
        """By kind and id the pages that hold an entry; more than one is a fault."""
        holders: dict[tuple[str, str], list[str]] = {}
        for docname, page in self.pages.items():
            for entry in page.entries:
                holders.setdefault(entry, []).append(docname)
        return holders

    def note(self, docname: str, kind: str, name: str) -> None:
        """Note that a page holds an entry."""
        self.pages.setdefault(docname, Page()).entries.append((kind, name))

    def use(self, docname: str, key: Key, shown: str) -> None:
        """Note what a page shows."""
        self.pages.setdefault(docname, Page()).uses[key] = shown

    def clear_doc(self, docname: str) -> None:
        """Forget a page that is read again or gone."""
        self.pages.pop(docname, None)

    def merge_domaindata(self, docnames: Set[str], otherdata: dict[str, dict[str, Page]]) -> None:
        """Take over what a parallel reader noted on ``docnames``."""
        self.pages.update({name: page for name, page in otherdata["pages"].items() if name in docnames})

    def resolve_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,
        contnode: Element,
    ) -> nodes.reference | None:
        """The link to an entry's anchor."""
        holder = next((name for name, page in self.pages.items() if (typ, target) in page.entries), None)
        return make_refnode(builder, fromdocname, holder, target, contnode) if holder else None

    def resolve_any_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        target: str,
        node: pending_xref,
        contnode: Element,
    ) -> list[tuple[str, nodes.reference]]:
        """Entries are linked with their own roles alone."""
        return []

    def get_objects(self) -> Iterable[tuple[str, str, str, str, str, int]]:
        """For the inventory; the site's search finds entries by their titles, so that none comes up twice (-1)."""
        return [(name, name, kind, pages[0], name, -1) for (kind, name), pages in self.holders.items()]


def domain_of(env: BuildEnvironment) -> FactsDomain:
    """The domain of an environment."""
    result = env.get_domain("facts")
    assert isinstance(result, FactsDomain)
    return result


class EntryRole(XRefRole):
    """``:setting:`NAME``` (name or id) and ``:issue:`id```, which shows the issue's title."""

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Plain text if the facts did not load: that is reported once, elsewhere."""
        facts = current(self.env)
        key: Key = ("role", (("kind", self.name), ("target", self.target)))
        domain_of(self.env).use(self.env.docname, key, digest([] if facts is None else render(facts, key)))
        if facts is None:
            return [self.innernodeclass("", self.title)], []
        return super().run()

    def process_link(
        self, env: BuildEnvironment, refnode: Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        """From the name that was written to the id of the entry."""
        facts = current(env)
        assert facts is not None
        refnode["refdomain"] = "facts"
        entry = find(facts, self.name, target)
        if entry is None:
            return title, target
        if not has_explicit_title:
            title = entry.title if isinstance(entry, Issue) else entry.name
        return title, entry.id
