"""A small guide over a small base of facts, built with the real extensions."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path

from tests.docs.guide import Guide
from tests.facts import base

SETTINGS = "Settings\n========\n\n.. settings::\n"
ISSUES = "Troubleshooting\n===============\n\n.. known-issues::\n"
GPUS = "GPUs\n====\n\n.. gpu-table::\n"
VERSIONS = "Versions\n========\n\n.. release-names::\n   :project: vllm\n   :section: env\n"


class FactsGuide(Guide):
    """Four pages, each made from one kind of fact; nothing is wrong with it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        extensions = ["blocks.extension", "facts_pages.extension", "myst_parser"]
        self.write("conf.py", f"extensions = {extensions}\nhtml_theme = 'basic'\nnitpicky = True\n")
        shutil.rmtree(root / "snippets")
        shutil.rmtree(root / "tests")
        (root / "snippets").mkdir()
        (root / "docs" / "page.rst").unlink()
        base.write(root / "verl_rocm" / "facts")
        for name, text in {"settings": SETTINGS, "issues": ISSUES, "gpus": GPUS, "versions": VERSIONS}.items():
            self.write(f"docs/{name}.rst", text)

    def contract(self, project: str, version: str, **sections: object) -> None:
        """Change sections of a release contract."""
        path = self.root / "verl_rocm" / "facts" / project / f"{version}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | sections))

    def text(self, page: str) -> str:
        """The words of a page, without its tags."""
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", self.html(page))).split())
