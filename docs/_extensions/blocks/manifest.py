"""``snippets.json`` and the whole-file pages of the html output."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from blocks.domain import Shown
from blocks.state import State, current
from guide.evidence import is_fresh
from guide.records.blocks import Level, Status
from guide.regions import SUFFIXES, Region, snippet_files

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def commit(project: Path) -> str:
    """The commit that ``project`` is checked out at, short; "no commit" outside a checkout."""
    command = ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no commit"


def source_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, object], str]]:
    """One page for each whole snippet, so that "whole file" works offline and at the built commit."""
    state = current(app.env)
    built = commit(state.project)
    formatter = HtmlFormatter(linenos="inline", wrapcode=True)
    for path in snippet_files(state.snippets):
        name = f"snippets/{path.relative_to(state.snippets).as_posix()}"
        lexer = get_lexer_by_name(SUFFIXES.get(path.suffix, "text"))
        code = highlight(path.read_text(encoding="utf-8"), lexer, formatter)
        body = f"<h1>{name}</h1><p>The whole file at commit <code>{built}</code>.</p>{code}"
        yield name, {"title": name, "body": body, "parents": [], "meta": {}}, "page.html"


class Evidence(BaseModel):
    """What one record says of a block; ``fresh``: the block is still what ran."""

    status: Status
    level: Level
    fresh: bool
    date: str
    reason: str | None


class Block(BaseModel):
    """A shown block; ``evidence`` by machine class."""

    page: str
    file: str
    region: str
    language: str
    sha256: str
    file_sha256: str
    evidence: dict[str, Evidence]


def _evidence(state: State, region: Region) -> dict[str, Evidence]:
    return {
        record.machine_class: Evidence(
            status=result.status,
            level=result.level,
            fresh=is_fresh(result, region),
            date=record.runs[result.run].ended.isoformat(),
            reason=result.reason,
        )
        for record in state.records
        if (result := record.regions.get(region.id)) is not None
    }


def write(state: State, shown: list[Shown], outdir: Path) -> None:
    """Write ``snippets.json``: every shown block with page, file, region, language, hashes and evidence."""
    blocks = [
        Block(
            page=item.docname,
            file=f"snippets/{region.file}",
            region=region.name,
            language=item.language,
            sha256=region.sha256,
            file_sha256=region.file_sha256,
            evidence=_evidence(state, region),
        )
        for item in shown
        if (region := state.regions.get(item.region)) is not None
    ]
    content = json.dumps([block.model_dump() for block in blocks], indent=1, ensure_ascii=False)
    (outdir / "snippets.json").write_text(content + "\n", encoding="utf-8")
