"""Whether rollout and actor had the same weights, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from .metrics import CORRELATION, DIFFERENCE, STEP, SYNC, Metrics

# verl's FAQ, https://github.com/verl-project/verl/blob/1dda039b9c6311889a9c9a26040677e1254814f9/docs/faq/faq.rst
DIFFERENCE_GOOD, DIFFERENCE_BAD = 0.005, 0.01
CORRELATION_GOOD, CORRELATION_BAD = 0.99, 0.95  # the lower one is this guide's choice
SHOWN = 5  # doubtful steps printed: the first ones and the last


@dataclass(frozen=True)
class Doubt:
    """A step that is wrong ("bad") or doubtful ("look")."""

    word: Literal["bad", "look"]
    text: str


def doubts(metrics: Metrics) -> Iterator[Doubt]:
    """The steps that are not good."""
    for step, data in metrics.items():
        difference, correlation = data[DIFFERENCE], data[CORRELATION]
        text = f"step {step}: mean difference {difference:.2g}, correlation {correlation:.4f}"
        if not (difference <= DIFFERENCE_BAD and correlation >= CORRELATION_BAD):  # NaN is bad too
            yield Doubt("bad", text)
        elif difference > DIFFERENCE_GOOD or correlation < CORRELATION_GOOD:
            yield Doubt("look", text)


def report(metrics: Metrics) -> tuple[int, list[str]]:
    """Exit code (0 all steps agree, 1 at least one is bad) and the lines to print."""
    every = list(doubts(metrics))
    bad = sum(doubt.word == "bad" for doubt in every)
    differences = [data[DIFFERENCE] for data in metrics.values()]
    correlations = [data[CORRELATION] for data in metrics.values()]
    lines = [
        f"steps            {min(metrics)} to {max(metrics)}, {len(metrics)} compared",
        f"mean difference  {min(differences):.2g} to {max(differences):.2g}  (good up to {DIFFERENCE_GOOD},"
        f" bad above {DIFFERENCE_BAD})",
        f"correlation      {min(correlations):.4f} to {max(correlations):.4f}  (good from {CORRELATION_GOOD},"
        f" bad below {CORRELATION_BAD})",
    ]
    timed = [data for data in metrics.values() if SYNC in data and STEP in data]
    if timed:
        sync, step = median(data[SYNC] for data in timed), median(data[STEP] for data in timed)
        lines.append(f"weight sync      {sync:.2g} s of a step of {step:.2g} s (medians)")
    printed = every if len(every) <= SHOWN else [*every[: SHOWN - 1], every[-1]]
    lines += [f"{doubt.word:<5}{doubt.text}" for doubt in printed]
    if bad:
        return 1, [*lines, f"verdict: {bad} of {len(metrics)} steps sampled with other weights than the actor's"]
    return 0, [*lines, "verdict: rollout and actor agree at every step"]
