"""The page on how the guide works: its figures are what the data gives, and every path that it names is there."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs import figures
from tests.docs.test_memory_timeline import drawing

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "docs" / "_static"
PAGE = (ROOT / "docs" / "explanation" / "how-this-guide-works.rst").read_text()
FLOWS = ("block", "dry-run")


@pytest.fixture(scope="module")
def flows() -> ModuleType:
    return figures.load("flows")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", FLOWS)
def test_the_committed_figure_is_what_the_data_gives(flows: ModuleType, name: str, theme: str, tmp_path: Path) -> None:
    flows.draw(flows.load()[name], theme, tmp_path / "now.svg")
    assert drawing(STATIC / f"flow-{name}-{theme}.svg") == drawing(tmp_path / "now.svg"), "run docs/_figures/flows.py"
    assert f"flow-{name}-{theme}.svg" in PAGE


@pytest.mark.parametrize("name", FLOWS)
def test_the_text_is_legible_on_a_phone(name: str) -> None:
    svg = (STATIC / f"flow-{name}-light.svg").read_text()
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])  # type: ignore[index]
    smallest = min(float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )?([\d.]+)px", svg))
    assert smallest * 360 / width >= 9  # pixels, on a screen 360 wide


def test_the_figure_of_a_dry_run_names_modules_that_are_there(flows: ModuleType) -> None:
    titles = [box.title for box in flows.load()["dry-run"].boxes]
    for module in (name.strip().rstrip("/") for title in titles for name in title.split(",")):
        places = [ROOT / "verl_rocm" / "dryrun" / f"{module}.py", ROOT / "verl_rocm" / module]
        assert any(place.exists() for place in places), module


def test_every_path_of_the_page_is_there() -> None:
    """Fails when a file is moved and the table keeps its old place."""
    paths = set(re.findall(r"``((?:[\w.-]+/)+[\w.-]*|\w+\.(?:md|toml))``", PAGE))
    assert len(paths) > 20
    assert not [path for path in paths if not (ROOT / path).exists()]
