"""Draw the reward of the recorded run of the recipe, from records/recipes, in a light and a dark variant.

python -m docs._figures.reward_curve        # writes docs/_static/reward-curve-{light,dark}.svg
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from guide.records import recipes
from guide.records.recipes import Training

HERE = Path(__file__).resolve().parent
RECORD = HERE.parent.parent / "records" / "recipes" / "cpu-x86_64.json"
RUN = "grpo-20"  # what `make recipe STEPS=20` writes
THEMES = {"light": ("#ffffff", "#1f2328", "#0072b2"), "dark": ("#15181d", "#e6e8eb", "#56b4e9")}


def load(record: Path = RECORD) -> Training:
    """The recorded run; ``SystemExit`` with one line if it is not in the record."""
    runs = recipes.load(record).runs
    if RUN not in runs:
        raise SystemExit(f"reward_curve: {record.name} has no run {RUN}: run `make recipe STEPS=20`")
    return runs[RUN]


def conditions(run: Training) -> str:
    """Where the curve comes from; it stands in the figure itself."""
    what = f"toy model on a CPU, {run.steps} steps in {run.seconds:.0f} s"
    return f"{what}; verl {run.software.verl}, vLLM {run.software.vllm}"


def draw(run: Training, theme: str, path: Path) -> None:
    """Write one variant as SVG."""
    paper, ink, line = THEMES[theme]
    style = {
        "svg.fonttype": "none",
        "svg.hashsalt": "reward-curve",
        "font.family": "sans-serif",
        "font.size": 8.5,
        "text.color": ink,
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "xtick.color": ink,
        "ytick.color": ink,
    }
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(4.8, 2.8), facecolor=paper)
        axes.set_facecolor(paper)
        steps = range(1, len(run.reward) + 1)
        axes.plot(steps, run.reward, marker="o", markersize=3, color=line)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="step", ylabel="mean reward", ylim=(0, None))
        axes.set_title(conditions(run), size=7.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        figure.subplots_adjust(left=0.13, right=0.97, top=0.9, bottom=0.16)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)


def main() -> None:
    """Draw both variants."""
    for theme in THEMES:
        draw(load(), theme, HERE.parent / "_static" / f"reward-curve-{theme}.svg")


if __name__ == "__main__":
    main()
