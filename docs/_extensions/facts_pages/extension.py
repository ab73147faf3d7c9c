"""The Sphinx extension: directives and roles over the facts, and the check that every entry stands on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util import logging

from facts_pages import state
from facts_pages.directive import DIRECTIVES
from facts_pages.domain import EntryRole, FactsDomain, domain_of
from facts_pages.render import Key, digest, render

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the extension."""
    app.add_domain(FactsDomain)
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    app.add_role("setting", EntryRole(warn_dangling=True))
    app.add_role("issue", EntryRole(warn_dangling=True, innernodeclass=nodes.inline))
    app.connect("builder-inited", _begin)
    app.connect("env-get-outdated", _outdated)
    app.connect("build-finished", _report)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}


def _begin(app: Sphinx) -> None:
    if fault := state.begin(Path(app.srcdir)):
        logger.warning(fault, type="facts", subtype="load")


def _outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Pages on which a directive or role would show something else than it did: exactly these are read again."""
    facts, domain = state.current(env), domain_of(env)
    now: dict[Key, str] = {}
    if facts is not None:
        now = {key: digest(render(facts, key)) for page in domain.pages.values() for key in page.uses}
    stale = {
        docname
        for docname, page in domain.pages.items()
        if any(now.get(key, "") != old or not old for key, old in page.uses.items())
    }
    return sorted(stale & env.found_docs)


def _report(app: Sphinx, exception: Exception | None) -> None:
    """Report entries that stand on no page or on several, in every build."""
    facts = state.current(app.env)
    if exception is not None or facts is None:
        return
    holders = domain_of(app.env).holders
    for kind, entries in (("setting", facts.settings), ("issue", facts.issues)):
        for name in sorted(entries):
            pages = holders.get((kind, name), [])
            if not pages:
                logger.warning(f"{facts.file[name]}: no page shows {kind} {name!r}", type="facts", subtype="not_shown")
            elif len(pages) > 1:
                logger.warning(
                    f"{facts.file[name]}: {kind} {name!r} stands on {' and '.join(sorted(pages))}; make one brief",
                    type="facts",
                    subtype="twice",
                )
