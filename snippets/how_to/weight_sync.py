"""Judge from a verl run's own metrics whether each new set of weights reached the rollout (verl 0.9.1).

    python3 weight_sync.py runs/grpo

Takes the file of verl's logger `file`, a console log, or a folder that holds one of them. Exit code 0 if rollout and
actor agree at every step, 1 if they do not, 2 if the file cannot tell.
"""

# [start:imports]
import argparse
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

# [end:imports]

# [start:limits]
DIFFERENCE = "training/rollout_probs_diff_mean"
CORRELATION = "training/rollout_actor_probs_pearson_corr"
SYNC, STEP = "timing_s/update_weights", "timing_s/step"
DIFFERENCE_GOOD, DIFFERENCE_BAD = 0.005, 0.01  # verl's FAQ
CORRELATION_GOOD, CORRELATION_BAD = 0.99, 0.95  # the lower one is this guide's choice
# [end:limits]
SHOWN = 5  # findings printed: the first ones and the last
CONSOLE = re.compile(r"\bstep:(\d+) - (.+)")
Metrics = dict[int, dict[str, float]]


class Unusable(Exception):
    """The file cannot tell; the text is one line."""


# [start:read]
def lines_of(path: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """Step and metrics of each line; lines of a console log that hold no metrics are passed over."""
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    ]
    for number, line in lines:
        if line.startswith("{"):
            try:
                entry = json.loads(line)
                yield int(entry["step"]), dict(entry["data"])
            except (ValueError, KeyError, TypeError):
                if number == lines[-1][0]:
                    return  # a run that was killed may leave half a line
                raise Unusable(
                    f"{path}, line {number}: not a line of verl's file logger"
                ) from None
        elif found := CONSOLE.search(line):
            pairs = (pair.rpartition(":") for pair in found[2].split(" - "))
            yield int(found[1]), {key: number_of(value) for key, _, value in pairs}


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
    return max(
        path.glob("metrics*.jsonl"),
        key=lambda file: file.stat().st_mtime,
        default=path / "verl.log",
    )


def read(path: Path) -> Metrics:
    """Metrics of the training steps in which rollout and actor were compared."""
    try:
        found = dict(lines_of(path))
    except OSError as problem:
        raise Unusable(f"{path}: {problem.strerror or problem}") from None
    if not found:
        raise Unusable(
            f"{path}: no step in it; give the file of verl's logger 'file', or the console log"
        )
    compared = {
        step: data
        for step, data in found.items()
        if DIFFERENCE in data and CORRELATION in data
    }
    if not compared:
        raise Unusable(
            f"{path}: {len(found)} steps without {DIFFERENCE}: "
            "set actor_rollout_ref.rollout.calculate_log_probs=True, and no bypass mode"
        )
    return compared


# [end:read]


# [start:judge]
def findings(metrics: Metrics) -> Iterator[tuple[str, str]]:
    """What is wrong ("bad") or doubtful ("look"), a line a step."""
    for step, data in metrics.items():
        difference, correlation = data[DIFFERENCE], data[CORRELATION]
        said = f"step {step}: mean difference {difference:.2g}, correlation {correlation:.4f}"
        if not (
            difference <= DIFFERENCE_BAD and correlation >= CORRELATION_BAD
        ):  # NaN is bad too
            yield "bad", said
        elif difference > DIFFERENCE_GOOD or correlation < CORRELATION_GOOD:
            yield "look", said


def report(metrics: Metrics) -> tuple[int, list[str]]:
    """Exit code and the lines to print."""
    found = list(findings(metrics))
    bad = [said for word, said in found if word == "bad"]
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
        sync, step = (
            median(data[SYNC] for data in timed),
            median(data[STEP] for data in timed),
        )
        lines.append(
            f"weight sync      {sync:.2g} s of a step of {step:.2g} s (medians)"
        )
    shown = found if len(found) <= SHOWN else [*found[: SHOWN - 1], found[-1]]
    lines += [f"{word:<5}{said}" for word, said in shown]
    if bad:
        return 1, [
            *lines,
            f"verdict: {len(bad)} of {len(metrics)} steps sampled with other weights than the actor's",
        ]
    return 0, [*lines, "verdict: rollout and actor agree at every step"]


# [end:judge]


def main() -> int:
    """Judge the run named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "run", type=Path, help="metrics file, console log or folder of a run"
    )
    try:
        code, lines = report(read(newest(parser.parse_args().run)))
    except Unusable as problem:
        print(f"weight_sync: {problem}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
