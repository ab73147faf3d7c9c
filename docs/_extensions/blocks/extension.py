"""The Sphinx extension: checked includes, evidence under each block, and a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util import logging

from blocks import manifest, rehearsals, tables
from blocks.directive import BlockInclude
from blocks.domain import BlockDomain, domain_of
from blocks.state import State, current, read_state
from guide.evidence import statements
from guide.regions import Fault

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the extension."""
    app.add_domain(BlockDomain)
    app.add_directive("literalinclude", BlockInclude, override=True)
    tables.register(app)
    rehearsals.register(app)
    app.connect("builder-inited", _read)
    app.connect("env-get-outdated", _outdated)
    app.connect("env-updated", tables.outdated)
    app.connect("html-collect-pages", manifest.source_pages)
    app.connect("build-finished", _report)
    return {"version": "1", "env_version": 2, "parallel_read_safe": True, "parallel_write_safe": True}


def _read(app: Sphinx) -> None:
    read_state(Path(app.srcdir))


def _outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Pages whose evidence is not what they were built with: exactly these are read again."""
    state = current(env)
    stale = set()
    for shown in domain_of(env).shown():
        region = state.regions.get(shown.region)
        now = tuple(map(str, statements(state.records, region))) if region else ()
        if now != shown.statements:
            stale.add(shown.docname)
    return sorted(stale & env.found_docs)


def unshown_and_untested(state: State, shown: set[str]) -> list[Fault]:
    """Regions that no page shows or no test claims, and claims on regions that do not exist."""
    claimed = {claim.region for claim in state.claims}
    faults = []
    for region in state.regions.values():
        path = f"snippets/{region.file}"
        if region.id not in shown:
            faults.append(Fault("not_shown", path, region.line, f"no page shows region '{region.name}'"))
        if region.id not in claimed:
            faults.append(Fault("not_tested", path, region.line, f"no test claims region '{region.name}'"))
    for claim in state.claims:
        if claim.region not in state.regions:
            faults.append(
                Fault("unknown", claim.path, claim.line, f"a test claims '{claim.region}', which is no region")
            )
    return faults


def _report(app: Sphinx, exception: Exception | None) -> None:
    """Report every fault of every page, read again or not, and write the manifest."""
    if exception is not None:
        return
    state, domain = current(app.env), domain_of(app.env)
    shown = {block.region for block in domain.shown()}
    for fault in [*state.faults, *domain.faults(), *unshown_and_untested(state, shown)]:
        path = Path(fault.path)
        location = path.relative_to(state.project) if path.is_relative_to(state.project) else path
        logger.warning(fault.message, location=f"{location}:{fault.line}", type="block", subtype=fault.kind)
    if app.builder.format == "html":
        manifest.write(state, domain.shown(), Path(app.outdir))
