"""Draw the reward of a run of verl from the log that its ``file`` logger wrote.

    python3 plot_rewards.py runs/grpo/metrics-*.jsonl --out rewards.svg

Several logs, as a run that was resumed leaves them, make one curve.
"""

# [start:imports]
import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display is needed
from matplotlib import pyplot

# [end:imports]


# [start:read]
def read(logs: Iterable[Path], metric: str) -> dict[int, float]:
    """The values of one metric by step; the later log wins if a step is there twice."""
    values: dict[int, float] = {}
    for log in sorted(logs):
        for line in log.read_text(encoding="utf-8").splitlines():
            step = json.loads(line)
            if metric in step["data"]:
                values[step["step"]] = step["data"][metric]
    return dict(sorted(values.items()))


# [end:read]


# [start:draw]
def draw(values: dict[int, float], metric: str, out: Path) -> None:
    """Write the curve to ``out``, in the format of its ending (``.svg``, ``.png``)."""
    figure, axes = pyplot.subplots(figsize=(6.4, 3.2), layout="constrained")
    axes.plot(list(values), list(values.values()), marker="o", markersize=3)
    axes.set_xlabel("step")
    axes.set_ylabel(metric)
    axes.grid(alpha=0.3)
    figure.savefig(out)
    pyplot.close(figure)


# [end:draw]


def main() -> None:
    """Draw one metric of the logs named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("logs", type=Path, nargs="+")
    parser.add_argument(
        "--metric",
        default="critic/score/mean",
        help="name of the metric, as the log has it",
    )
    parser.add_argument("--out", type=Path, default=Path("rewards.svg"))
    arguments = parser.parse_args()
    missing = [str(log) for log in arguments.logs if not log.is_file()]
    if missing:
        parser.error(
            f"{missing[0]} is not there: give the files that verl's file logger wrote"
        )
    values = read(arguments.logs, arguments.metric)
    if not values:
        parser.error(f"no step has {arguments.metric}: correct --metric")
    draw(values, arguments.metric, arguments.out)


if __name__ == "__main__":
    main()
