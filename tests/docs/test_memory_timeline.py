"""The figure of the memory timeline: the committed files are what the data gives, and they can be read."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs import figures

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "memory-timeline.rst"
STATIC = ROOT / "docs" / "_static"


@pytest.fixture(scope="module")
def figure() -> ModuleType:
    return figures.load("memory_timeline")


def drawing(path: Path) -> str:
    """The SVG without matplotlib's own remarks about itself."""
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", path.read_text(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_committed_figure_is_what_the_data_gives(figure: ModuleType, theme: str, tmp_path: Path) -> None:
    figure.draw(figure.load(), theme, tmp_path / "now.svg")
    committed = STATIC / f"memory-timeline-{theme}.svg"
    assert drawing(committed) == drawing(tmp_path / "now.svg"), "run python -m docs._figures.memory_timeline"


def test_other_data_gives_another_figure(figure: ModuleType, tmp_path: Path) -> None:
    data = figure.load()
    data.inputs.activations_gib += 10
    figure.draw(data, "light", tmp_path / "now.svg")
    assert drawing(STATIC / "memory-timeline-light.svg") != drawing(tmp_path / "now.svg")


def test_the_arithmetic_of_one_gpu(figure: ModuleType) -> None:
    data = figure.load()
    size, total = figure.sizes(data), figure.totals(data)
    assert size["rollout weights"] == pytest.approx(7.61e9 * 2 / 2**30)
    assert size["rollout weights"] + size["KV cache"] + size["graphs"] == pytest.approx(192 * 0.5)
    assert total["1. Rollout"] - total["2. Asleep"] == pytest.approx(size["rollout weights"] + size["KV cache"])
    assert total["6. Wake KV cache"] == pytest.approx(total["1. Rollout"])
    assert max(total.values()) < data.inputs.memory_gib


def test_every_phase_and_total_stands_in_the_figure_as_text(figure: ModuleType) -> None:
    data = figure.load()
    for theme in figure.THEMES:
        words = re.findall(r"<text[^>]*>([^<]+)</text>", (STATIC / f"memory-timeline-{theme}.svg").read_text())
        assert {phase.name for phase in data.phases} <= set(words)
        assert {f"{total:.0f}" for total in figure.totals(data).values()} <= set(words)
        assert set(figure.COLOURS) <= set(words)


def test_the_text_is_legible_on_a_phone(figure: ModuleType) -> None:
    svg = (STATIC / "memory-timeline-light.svg").read_text()
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])  # type: ignore[index]
    smallest = min(float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )?([\d.]+)px", svg))
    assert smallest * 360 / width >= 9  # pixels, on a screen 360 wide


def test_the_page_names_every_input_and_both_variants(figure: ModuleType) -> None:
    page = PAGE.read_text()
    for name, value in figure.load().inputs:
        assert f"``{value:g}``" in page, name
    assert all(f"memory-timeline-{theme}.svg" in page for theme in figure.THEMES)
