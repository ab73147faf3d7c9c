"""A small guide in a temporary folder, built with the real extension."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from guide.records import blocks as records
from guide.regions import scan_tree

SNIPPET = """\
# [start:imports]
import math
# [end:imports]


# [start:area]
def area(radius: float) -> float:
    return math.pi * radius**2
# [end:area]
"""
TEST = """\
import pytest

@pytest.mark.block("circle.py", "imports", "area")
def test_area():
    pass
"""
MACHINE = records.Machine(
    accelerator="cpu",
    name="a CPU",
    count=2,
    arch="x86_64",
    memory_gib=24.0,
    kernel="6.1",
)
SOFTWARE = records.Software(python="3.11.7", torch="2.13.0", vllm="0.30.0")
WARNING = re.compile(r"WARNING: (?P<text>.*) \[(?P<type>[\w.]+)\]$")


def include(region: str, file: str = "circle.py", extra: str = "") -> str:
    """RST that shows one region."""
    return (
        f".. literalinclude:: /snippets/{file}\n   :start-after: # [start:{region}]\n"
        f"   :end-before: # [end:{region}]\n{extra}\n"
    )


class Guide:
    """A project with one snippet, one test, and one page that shows both regions; nothing is wrong with it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.status = 0
        self.read: list[str] = []
        self.write(
            "conf.py", "extensions = ['blocks.extension', 'myst_parser', 'sphinx.ext.doctest']\nhtml_theme = 'basic'\n"
        )
        self.write("snippets/circle.py", SNIPPET)
        self.write("tests/snippets/test_circle.py", TEST)
        self.write("index.rst", "Guide\n=====\n\n.. toctree::\n   :glob:\n\n   docs/*\n")
        self.write("docs/page.rst", f"Page\n====\n\n{include('imports')}\n{include('area')}")
        (root / "records").mkdir()

    def write(self, name: str, text: str) -> None:
        """Write a file of the project, making its folders."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in a file; it must be there."""
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def record(
        self,
        accelerator: records.Accelerator = "cpu",
        only: Iterable[str] | None = None,
        day: int = 1,
        **result: object,
    ) -> None:
        """Record a run of the regions as they are now (all, or ``only`` these)."""
        regions, _ = scan_tree(self.root / "snippets")
        machine = MACHINE.model_copy(update={"accelerator": accelerator})
        when = datetime(2026, 11, day, tzinfo=UTC)
        run = records.Run(started=when, ended=when, machine=machine, software=SOFTWARE, commit="c0ffee", clean=True)
        values: dict[str, object] = {"status": "passed", "level": "run", "seconds": 1.0, "setup_seconds": 0.0, **result}
        results = {
            region.id: records.Result.model_validate(
                {
                    **values,
                    "run": str(day),
                    "sha256": region.sha256,
                    "rest_sha256": region.rest_sha256,
                    "file_sha256": region.file_sha256,
                }
            )
            for region in regions.values()
            if only is None or region.name in only
        }
        name = {"cpu": "cpu-x86_64", "cuda": "sm_90", "rocm": "gfx942"}[accelerator]
        records.save(
            records.Record(machine_class=name, runs={str(day): run} if results else {}, regions=results),
            self.root / "records",
        )

    def build(self, *, parallel: int = 0, builder: str = "html", fresh: bool = False) -> list[str]:
        """Build strictly; the types of all warnings, sorted.  ``status`` and ``read`` hold the rest."""
        warnings = io.StringIO()
        with docutils_namespace():
            app = Sphinx(
                self.root,
                self.root,
                self.root / "build" / builder,
                self.root / "build" / f"{builder}-doctrees",
                builder,
                status=io.StringIO(),
                warning=warnings,
                freshenv=fresh,
                warningiserror=True,
                exception_on_warning=False,
                parallel=parallel,
                confoverrides={"exclude_patterns": ["build", "snippets", "tests"]},
            )
            self.read = []
            app.connect("env-before-read-docs", lambda app, env, docnames: self.read.extend(docnames))
            app.build()
        self.status = app.statuscode
        lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in warnings.getvalue().splitlines()]
        self.lines = [line for line in lines if line]
        return sorted(match["type"] for line in lines if (match := WARNING.search(line)))

    def html(self, page: str = "docs/page") -> str:
        """The built page."""
        return (self.root / "build" / "html" / f"{page}.html").read_text(encoding="utf-8")

    def manifest(self) -> list[dict[str, object]]:
        """The built ``snippets.json``."""
        rows = json.loads((self.root / "build" / "html" / "snippets.json").read_text(encoding="utf-8"))
        assert isinstance(rows, list)
        return rows
