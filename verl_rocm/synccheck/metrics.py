"""Metrics of a verl run, from the file of its logger ``file`` or from its console log (verl 0.9.1)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

DIFFERENCE = "training/rollout_probs_diff_mean"
CORRELATION = "training/rollout_actor_probs_pearson_corr"
SYNC, STEP = "timing_s/update_weights", "timing_s/step"
CONSOLE = re.compile(r"\bstep:(\d+) - (.+)")
Metrics = dict[int, dict[str, float]]


class Unusable(Exception):
    """The file does not show whether the weights arrived; the text is one line."""


def lines_of(path: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """Step and metrics of each line; lines of a console log that hold no metrics are passed over.

    Raises:
        Unusable: a line that begins as a line of the file logger is none.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    for number, line in lines:
        if line.startswith("{"):
            try:
                entry = json.loads(line)
                yield int(entry["step"]), dict(entry["data"])
            except (ValueError, KeyError, TypeError):
                if number == lines[-1][0]:
                    return  # a run that was killed may leave half a line
                raise Unusable(f"{path}, line {number}: not a line of verl's file logger") from None
        elif match := CONSOLE.search(line):
            pairs = (pair.rpartition(":") for pair in match[2].split(" - "))
            yield int(match[1]), {key: number_of(value) for key, _, value in pairs}


def number_of(value: str) -> float:
    """A number of the console log; what is none, such as a text metric, becomes NaN."""
    try:
        return float(value)
    except ValueError:
        return math.nan


def newest(path: Path) -> Path:
    """The file itself; in a folder, the newest metrics file of the recipes, or else the console log."""
    if not path.is_dir():
        return path
    return max(path.glob("metrics*.jsonl"), key=lambda file: file.stat().st_mtime, default=path / "verl.log")


def read(path: Path) -> Metrics:
    """Metrics of the training steps in which rollout and actor were compared, by step.

    Raises:
        Unusable: the file is not there, holds no step, or no step with a comparison.
    """
    try:
        steps = dict(lines_of(path))
    except OSError as problem:
        raise Unusable(f"{path}: {problem.strerror or problem}") from None
    if not steps:
        raise Unusable(f"{path}: no step in it; give the file of verl's logger 'file', or the console log")
    compared = {step: data for step, data in steps.items() if DIFFERENCE in data and CORRELATION in data}
    if not compared:
        raise Unusable(
            f"{path}: {len(steps)} steps without {DIFFERENCE}: "
            "set actor_rollout_ref.rollout.calculate_log_probs=True, and no bypass mode"
        )
    return compared
