"""What each page shows of blocks and what is wrong with it, kept with the environment from build to build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from sphinx.domains import Domain

from blocks.pages import check_page
from guide.regions import Fault

if TYPE_CHECKING:
    from collections.abc import Set

    from docutils import nodes
    from sphinx.environment import BuildEnvironment


@dataclass(frozen=True)
class Shown:
    """A page shows a region, in ``language``, with these statements of evidence below it."""

    docname: str
    region: str
    language: str
    statements: tuple[str, ...]


@dataclass
class Page:
    """The faults and the shown blocks of a page; ``table`` is what its tables were written with, if it has any."""

    faults: list[Fault] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    table: str | None = None


class BlockDomain(Domain):
    """Blocks by page.

    Faults are reported once at the end of every build, so that a page that is not read again is still reported.
    """

    name = "block"
    label = "code blocks"
    initial_data: ClassVar[dict[str, dict[str, Page]]] = {"pages": {}}
    data_version = 1

    @property
    def pages(self) -> dict[str, Page]:
        """Pages by name."""
        pages: dict[str, Page] = self.data["pages"]
        return pages

    @property
    def page(self) -> Page:
        """The page that is being read."""
        return self.pages.setdefault(self.env.docname, Page())

    def fault(self, kind: str, path: str, line: int, message: str) -> None:
        """Note a fault of the page that is being read."""
        self.page.faults.append(Fault(kind, path, line, message))

    def shown(self) -> list[Shown]:
        """Every shown block, in the order of pages."""
        return [shown for docname in sorted(self.pages) for shown in self.pages[docname].shown]

    def faults(self) -> list[Fault]:
        """Every fault, in the order of pages."""
        return [fault for docname in sorted(self.pages) for fault in self.pages[docname].faults]

    def clear_doc(self, docname: str) -> None:
        """Forget a page, before it is read again or because it is gone."""
        self.pages.pop(docname, None)

    def merge_domaindata(self, docnames: Set[str], otherdata: dict[str, dict[str, Page]]) -> None:
        """Take over what a parallel reader noted on ``docnames``."""
        self.pages.update({name: page for name, page in otherdata["pages"].items() if name in docnames})

    def process_doc(self, env: BuildEnvironment, docname: str, document: nodes.document) -> None:
        """Check the blocks of a page that was read."""
        for fault in check_page(env, document):
            self.page.faults.append(fault)


def domain_of(env: BuildEnvironment) -> BlockDomain:
    """The domain of an environment."""
    domain = env.get_domain("block")
    assert isinstance(domain, BlockDomain)
    return domain
