"""``snippets.json`` and the whole-file pages of the html output."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from blocks.state import Shown, State, current
from guide.evidence import is_fresh
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


def source_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
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


def _evidence(state: State, region: Region) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for record in state.records:
        result = record.regions.get(region.id)
        if result is not None:
            entries[record.machine_class] = {
                "status": result.status,
                "level": result.level,
                "fresh": is_fresh(result, region),
                "date": record.runs[result.run].ended.isoformat(),
                "reason": result.reason,
            }
    return entries


def write(state: State, shown: list[Shown], outdir: Path) -> None:
    """Write ``snippets.json``: every shown block with page, file, region, language, hashes and evidence."""
    rows = [
        {
            "page": item.docname,
            "file": f"snippets/{region.file}",
            "region": region.name,
            "language": item.language,
            "sha256": region.sha256,
            "file_sha256": region.file_sha256,
            "evidence": _evidence(state, region),
        }
        for item in shown
        if (region := state.regions.get(item.region)) is not None
    ]
    (outdir / "snippets.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
