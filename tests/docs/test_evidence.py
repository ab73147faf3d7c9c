"""What stands under a block, for each kind of record."""

from __future__ import annotations

import re
from typing import TypedDict

import pytest

from guide.records.blocks import Accelerator, Level, Status
from tests.docs.guide import Guide, include


class Outcome(TypedDict, total=False):
    """What a record says of a region, where it differs from a run that passed."""

    status: Status
    level: Level
    reason: str
    passed: dict[str, str]


def badges(guide: Guide, page: str = "docs/page") -> list[str]:
    """The badges of a page from top to bottom."""
    return re.findall(r'class="block-badge [\w-]+">([^<]+)<', guide.html(page))


def test_without_a_record_the_block_says_so(guide: Guide) -> None:
    guide.build()
    assert badges(guide) == ["no record yet", "no record yet"]


@pytest.mark.parametrize(
    ("accelerator", "result", "badge", "text"),
    [
        ("cpu", {}, "run on CPU", "vLLM 0.30.0, torch 2.13.0, 2026-11-01"),
        ("cuda", {}, "run on CUDA", "2x a CPU, vLLM 0.30.0"),
        ("rocm", {}, "run on ROCm", "2x a CPU, vLLM 0.30.0"),
        ("cpu", {"passed": {"size": "4"}}, "run on CPU", "2026-11-01, with size=4"),
        ("cpu", {"level": "checked"}, "checked", "2026-11-01"),
        ("rocm", {"level": "checked"}, "checked", "2026-11-01"),
        ("cpu", {"level": "dry run"}, "dry run", "vLLM 0.30.0"),
        ("cpu", {"status": "failed", "reason": "no area"}, "failed on CPU", "no area"),
        ("cpu", {"status": "not run", "reason": "refused"}, "not run on CPU", "refused"),
        ("cpu", {"level": "checked", "reason": "refused"}, "checked", "not run on CPU: refused"),
    ],
)
def test_a_result_has_its_own_word(
    guide: Guide, accelerator: Accelerator, result: Outcome, badge: str, text: str
) -> None:
    guide.record(accelerator, **result)
    guide.build()
    assert badges(guide) == [badge, badge]
    assert text in re.sub(r"<[^>]+>", "", guide.html())


def test_the_strongest_level_wins_and_a_refusal_stays(guide: Guide) -> None:
    guide.record("cpu", status="not run", reason="refused")
    guide.record("cuda")
    guide.build()
    assert badges(guide) == ["run on CUDA", "not run on CPU"] * 2


def test_an_edited_region_alone_says_that_it_changed(guide: Guide) -> None:
    guide.record()
    guide.edit("snippets/circle.py", "radius**2", "radius * radius")
    guide.build()
    assert badges(guide) == ["run on CPU", "changed since it last ran"]


def test_an_edit_outside_regions_changes_every_block_of_the_file(guide: Guide) -> None:
    guide.record()
    guide.edit("snippets/circle.py", "# [end:area]\n", "# [end:area]\nmath.pi = 3\n")
    guide.build()
    assert badges(guide) == ["changed since it last ran"] * 2


def test_a_changed_block_that_ran_again_elsewhere_shows_both(guide: Guide) -> None:
    guide.record("rocm")
    guide.edit("snippets/circle.py", "radius**2", "radius * radius")
    guide.record("cpu", day=2)
    guide.build()
    assert badges(guide)[1:] == ["run on CPU", "changed since it last ran"]


def test_editing_a_snippet_reads_exactly_its_pages_again(guide: Guide) -> None:
    guide.write("snippets/square.py", "# [start:side]\nside = 2\n# [end:side]\n")
    guide.write(
        "tests/snippets/test_square.py", "import pytest\n\n@pytest.mark.block('square.py', 'side')\ndef t(): ...\n"
    )
    guide.write("docs/square.rst", f"Square\n======\n\n{include('side', file='square.py')}")
    assert guide.build() == []
    guide.edit("snippets/square.py", "2", "3")
    assert guide.build() == []
    assert guide.read == ["docs/square"]


def test_editing_a_record_reads_exactly_its_pages_again(guide: Guide) -> None:
    guide.write("docs/area.rst", f"Area\n====\n\n{include('area')}")
    guide.write("docs/plain.rst", "Plain\n=====\n\nNo block.\n")
    guide.record(only=["imports", "area"])
    guide.build()
    guide.record(only=["imports", "area"])
    guide.build()
    assert guide.read == []
    guide.record(only=["area"])
    guide.build()
    assert guide.read == ["docs/page"]
    assert badges(guide) == ["no record yet", "run on CPU"]


def test_a_table_follows_records_and_pages(guide: Guide) -> None:
    guide.write("docs/table.rst", "Table\n=====\n\n.. verification-table::\n\n.. evidence-summary::\n")
    guide.build()
    text = guide.html("docs/table")
    assert "circle.py:area" in text
    assert "AMD GPU" in text
    assert "never run" in text
    assert badges(guide, "docs/table") == ["run on ROCm", "no record yet"]
    guide.record("rocm")
    guide.build()
    assert guide.read == ["docs/page"]
    text = guide.html("docs/table")
    assert "gfx942" in text
    assert "never run" not in text
    assert badges(guide, "docs/table") == ["run on ROCm"]
    assert "2 blocks" in text


@pytest.mark.parametrize("parallel", [0, 2])
def test_the_manifest_names_every_block(guide: Guide, parallel: int) -> None:
    for number in range(8):
        guide.write(f"docs/plain{number}.rst", "Plain\n=====\n\nNo block.\n")
    guide.record(only=["area"])
    guide.edit("snippets/circle.py", "radius**2", "radius * radius")
    assert guide.build(parallel=parallel) == []
    imports, area = guide.manifest()
    assert (imports["page"], imports["file"], imports["region"]) == ("docs/page", "snippets/circle.py", "imports")
    assert imports["language"] == "python"
    assert imports["evidence"] == {}
    evidence = area["evidence"]
    assert isinstance(evidence, dict)
    assert evidence["cpu-x86_64"]["fresh"] is False
    assert area["sha256"] != imports["sha256"]
    assert area["file_sha256"] == imports["file_sha256"]


def test_the_whole_file_and_the_download_are_in_the_site(guide: Guide) -> None:
    guide.build()
    html = guide.html()
    assert '../snippets/circle.py.html"' in html
    assert "def" in (guide.root / "build/html/snippets/circle.py.html").read_text()
    downloads = list((guide.root / "build/html/_downloads").rglob("circle.py"))
    assert [path.read_text() for path in downloads] == [(guide.root / "snippets/circle.py").read_text()]


def test_an_indented_region_is_shown_from_the_margin(guide: Guide) -> None:
    guide.write("snippets/circle.py", "def f():\n    # [start:area]\n    x = 1\n    # [end:area]\n")
    guide.write(
        "tests/snippets/test_circle.py", "import pytest\n\n@pytest.mark.block('circle.py', 'area')\ndef t(): ...\n"
    )
    guide.write("docs/page.rst", f"Page\n====\n\n{include('area')}")
    assert guide.build() == []
    assert '<pre><span></span><span class="n">x</span>' in guide.html()


def test_blank_lines_at_the_end_of_a_region_are_not_shown(guide: Guide) -> None:
    guide.edit("snippets/circle.py", "# [end:area]", "\n\n# [end:area]")
    guide.build()
    assert '<span class="mi">2</span>\n</pre>' in guide.html()
