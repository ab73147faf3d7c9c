"""Draw the memory timeline of a colocated step, from memory_timeline.toml, in a light and a dark variant.

python -m docs._figures.memory_timeline        # writes docs/_static/memory-timeline-{light,dark}.svg
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.patches import Patch
from pydantic import BaseModel, Field

HERE = Path(__file__).resolve().parent
GIB = 2**30
WIDTH, HEIGHT = 4.0, 5.6  # inches: at the width of a phone the text is still 10 pixels high
THEMES = {"light": ("#ffffff", "#1f2328"), "dark": ("#15181d", "#e6e8eb")}
COLOURS = {
    "actor weights": "#0072b2",
    "optimizer": "#56b4e9",
    "gradients": "#009e73",
    "activations": "#f0e442",
    "rollout weights": "#d55e00",
    "KV cache": "#e69f00",
    "graphs": "#999999",
    "bucket": "#cc79a7",
}  # the palette of Okabe and Ito, which people with colour blindness can tell apart


class Inputs(BaseModel):
    """The job and the GPU; what each input means stands beside it in ``memory_timeline.toml``."""

    parameters: float
    gpus: int
    memory_gib: float
    gpu_memory_utilization: float
    bucket_gib: float
    graphs_gib: float
    activations_gib: float


class ParameterBytes(BaseModel):
    """Bytes for each parameter, over all GPUs that share it."""

    rollout_weights: int
    actor_weights: int
    gradients: int
    optimizer: int


class Phase(BaseModel):
    """A phase of the step, and the parts that are on the GPU in it."""

    name: str
    note: str
    holds: list[str]


class Timeline(BaseModel):
    """``memory_timeline.toml``."""

    inputs: Inputs
    parameter_bytes: ParameterBytes = Field(alias="bytes")
    phases: list[Phase]


def load() -> Timeline:
    """The inputs and phases of the figure."""
    return Timeline.model_validate(tomllib.loads((HERE / "memory_timeline.toml").read_text()))


def sizes(data: Timeline) -> dict[str, float]:
    """GiB on one GPU of every part that a phase can hold."""
    inputs, each = data.inputs, data.parameter_bytes
    whole = inputs.parameters / GIB
    rollout = whole * each.rollout_weights
    budget = inputs.memory_gib * inputs.gpu_memory_utilization
    return {
        "actor weights": whole * each.actor_weights / inputs.gpus,
        "optimizer": whole * each.optimizer / inputs.gpus,
        "gradients": whole * each.gradients / inputs.gpus,
        "activations": inputs.activations_gib,
        "rollout weights": rollout,
        "KV cache": budget - rollout - inputs.graphs_gib,
        "graphs": inputs.graphs_gib,
        "bucket": inputs.bucket_gib,
    }


def totals(data: Timeline) -> dict[str, float]:
    """GiB in use in each phase."""
    part = sizes(data)
    return {phase.name: sum(part[name] for name in phase.holds) for phase in data.phases}


def draw(data: Timeline, theme: str, path: Path) -> None:
    """Write one variant as SVG."""
    paper, ink = THEMES[theme]
    part, total = sizes(data), totals(data)
    style = {
        "svg.fonttype": "none",
        "svg.hashsalt": "memory-timeline",
        "font.family": "sans-serif",
        "font.size": 8.5,
        "text.color": ink,
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "xtick.color": ink,
    }
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(WIDTH, HEIGHT), facecolor=paper)
        axes.set_facecolor(paper)
        for row, phase in enumerate(data.phases):
            left = 0.0
            for name in phase.holds:
                axes.barh(row, part[name], 0.42, left, color=COLOURS[name], edgecolor=paper, linewidth=0.6)
                left += part[name]
            axes.text(left + 1.5, row, f"{total[phase.name]:.0f}", va="center")
            axes.text(0, row - 0.33, phase.name, va="center", weight="bold")
            axes.text(max(total.values()) * 1.1, row - 0.33, phase.note, va="center", ha="right", size=7.5)
        axes.set(xlim=(0, max(total.values()) * 1.1), ylim=(len(data.phases) - 0.6, -0.6))
        axes.set_xlabel("GiB in use on one GPU (computed, not measured)")
        axes.set_yticks([])
        axes.spines[["left", "top", "right"]].set_visible(False)
        patches = [Patch(color=colour, label=name) for name, colour in COLOURS.items()]
        figure.legend(handles=patches, loc="lower center", ncols=3, frameon=False, handlelength=1.0, columnspacing=1.2)
        figure.subplots_adjust(left=0.04, right=0.96, top=0.99, bottom=0.22)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)


def main() -> None:
    for theme in THEMES:
        draw(load(), theme, HERE.parent / "_static" / f"memory-timeline-{theme}.svg")


if __name__ == "__main__":
    main()
