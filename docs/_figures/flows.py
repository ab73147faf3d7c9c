"""Draw the life of a block and of a dry run, from flows.toml, in a light and a dark variant.

python docs/_figures/flows.py        # writes docs/_static/flow-{block,dry-run}-{light,dark}.svg
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import matplotlib
from pydantic import BaseModel, Field, TypeAdapter

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

HERE = Path(__file__).resolve().parent
WIDTH, ROW = 4.0, 1.0  # inches: at the width of a phone the text is still 10 pixels high
BOX_HEIGHT, GAP = 0.62, 0.04  # of a row, of the whole width
THEMES = {"light": ("#ffffff", "#1f2328", "#eef4fa"), "dark": ("#15181d", "#e6e8eb", "#1d2a36")}


Point = tuple[float, float]


class Box(BaseModel):
    """A box in the grid; ``row`` and ``column`` count from 0, ``span`` is in columns."""

    id: str
    row: int
    column: int
    span: int = 1
    title: str
    text: str


class Arrow(BaseModel):
    """From box to box."""

    source: str = Field(alias="from")
    to: str
    label: str


class Flow(BaseModel):
    """One drawing."""

    columns: int
    boxes: list[Box]
    arrows: list[Arrow]


def load() -> dict[str, Flow]:
    """Both flows, by name."""
    return TypeAdapter(dict[str, Flow]).validate_python(tomllib.loads((HERE / "flows.toml").read_text()))


def place(box: Box, columns: int) -> tuple[float, float, float]:
    """Left edge, middle and width of a box; the drawing is 1 wide, and a row is 1 high."""
    width = box.span / columns - GAP
    return box.column / columns + GAP / 2, -box.row, width


def ends(one: tuple[float, float, float], other: tuple[float, float, float]) -> tuple[Point, Point]:
    """Where the arrow between two boxes starts and ends: down the middle of the narrower one, or from side to side."""
    if one[1] == other[1]:  # in one row, from right to left
        return (one[0], one[1]), (other[0] + other[2], other[1])
    narrow = min(one, other, key=lambda at: at[2])
    x = narrow[0] + narrow[2] / 2
    down = 1 if one[1] > other[1] else -1
    return (x, one[1] - down * BOX_HEIGHT / 2), (x, other[1] + down * BOX_HEIGHT / 2)


def draw(flow: Flow, theme: str, path: Path) -> None:
    """Write one variant as SVG."""
    paper, ink, fill = THEMES[theme]
    at = {box.id: place(box, flow.columns) for box in flow.boxes}
    rows = 1 + max(box.row for box in flow.boxes)
    style = {"svg.fonttype": "none", "svg.hashsalt": "flows", "font.family": "sans-serif", "text.color": ink}
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(WIDTH, rows * ROW), facecolor=paper)
        for box in flow.boxes:
            left, middle, width = at[box.id]
            corner = (left, middle - BOX_HEIGHT / 2)
            shape = FancyBboxPatch(corner, width, BOX_HEIGHT, boxstyle="round,pad=0,rounding_size=0.02")
            shape.set(facecolor=fill, edgecolor=ink, linewidth=0.8)
            axes.add_patch(shape)
            lines = box.text.count("\n") + 1
            axes.text(left + width / 2, middle + 0.075 * lines, box.title, ha="center", weight="bold", size=8.5)
            for number, text in enumerate(box.text.split("\n")):
                height = middle + 0.075 * lines - 0.17 * (number + 1)
                axes.text(left + width / 2, height, text, ha="center", size=8)
        for arrow in flow.arrows:
            start, end = ends(at[arrow.source], at[arrow.to])
            axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color=ink, shrinkA=0))
            axes.text(start[0] + 0.015, (start[1] + end[1]) / 2, arrow.label, va="center", size=7.5)
        axes.set(xlim=(0, 1), ylim=(-rows + 0.6, 0.4))
        axes.axis("off")
        figure.subplots_adjust(left=0, right=1, top=1, bottom=0)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)


def main() -> None:
    for name, flow in load().items():
        for theme in THEMES:
            draw(flow, theme, HERE.parent / "_static" / f"flow-{name}-{theme}.svg")


if __name__ == "__main__":
    main()
