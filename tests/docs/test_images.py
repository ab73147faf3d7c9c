"""The page of images: what a reader sees of one, and that a changed fact rebuilds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.facts_guide import FactsGuide
from tests.facts.test_images import IMAGE


@pytest.fixture
def guide(tmp_path: Path) -> FactsGuide:
    """A little guide with one image."""
    guide = FactsGuide(tmp_path)
    guide.write("verl_rocm/facts/images.toml", IMAGE)
    guide.write("docs/images.rst", "Images\n======\n\n.. image-table::\n   :brief:\n\n.. image-table::\n")
    return guide


def test_the_page_says_when_a_patch_can_go(guide: FactsGuide) -> None:
    assert guide.build() == [], guide.lines
    text = guide.text("docs/images")
    assert "which ends with vLLM 0.3 and later" in text
    assert "Removes a package. When it can go is stated nowhere." in text
    assert "The README: built from one file." in text and "What decides: Its manifest." in text
    assert "no source found" in text, "torch has none"
    html = guide.html("docs/images")
    assert 'href="https://github.com/o/r/blob/abcdef0/Dockerfile#L7"' in html
    assert 'id="first"' in html and html.count("<table") == 1


def test_the_end_of_a_patch_comes_from_the_issue(guide: FactsGuide) -> None:
    guide.build()
    guide.edit("verl_rocm/facts/known_issues/sleep.toml", 'fixed_in = [{vllm = ">=0.3"}]', "")
    guide.build()
    assert "which is open" in guide.text("docs/images")


def test_a_page_without_images_is_reported(guide: FactsGuide) -> None:
    guide.write("verl_rocm/facts/images.toml", "")
    assert guide.build() == ["facts.empty", "facts.empty"], guide.lines
