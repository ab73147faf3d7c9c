"""`verl-rocm sync-check` on metrics that real runs of the recipe left (tests/recipes/test_weight_sync.py)."""

import json
import math
import os
from pathlib import Path

import pytest

from verl_rocm.cli import main
from verl_rocm.synccheck.judge import DIFFERENCE_GOOD, doubts
from verl_rocm.synccheck.metrics import CORRELATION, DIFFERENCE, read

RUNS = Path(__file__).parents[2] / "support" / "weight_sync"
Answer = tuple[int, list[str], str]


@pytest.fixture
def check(capfd: pytest.CaptureFixture[str]) -> "Check":
    return Check(capfd)


class Check:
    """Runs the command: exit code, lines of output, standard error."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self.capfd = capfd

    def __call__(self, path: Path) -> Answer:
        code = main(["sync-check", str(path)])
        output = self.capfd.readouterr()
        return code, output.out.splitlines(), output.err


def write(folder: Path, *steps: dict[str, float], end: str = "") -> Path:
    """A metrics file with these steps."""
    log = folder / "metrics.jsonl"
    lines = [json.dumps({"step": number, "data": data}) for number, data in enumerate(steps, start=1)]
    log.write_text("\n".join(lines) + "\n" + end)
    return log


def step(difference: float = 0.001, correlation: float = 0.999) -> dict[str, float]:
    return {DIFFERENCE: difference, CORRELATION: correlation}


@pytest.mark.parametrize(
    ("run", "code", "verdict"),
    [
        ("good", 0, "rollout and actor agree at every step"),
        ("kept_first", 1, "19 of 20 steps sampled with other weights than the actor's"),
        ("never_loaded", 1, "2 of 2 steps sampled with other weights than the actor's"),
    ],
)
def test_real_runs(check: Check, run: str, code: int, verdict: str) -> None:
    exit_code, lines, _ = check(RUNS / f"{run}.jsonl")
    assert (exit_code, lines[-1]) == (code, f"verdict: {verdict}")


def test_what_the_page_says_of_the_bad_runs() -> None:
    stayed = [json.loads(line)["data"] for line in (RUNS / "kept_first.jsonl").open()]
    assert stayed[0][CORRELATION] > 0.99, "with the weights of the start, step 1 is still right"
    for run in ("kept_first", "never_loaded"):
        steps = read(RUNS / f"{run}.jsonl").values()
        assert all(data[DIFFERENCE] < DIFFERENCE_GOOD for data in steps), run


def test_the_newest_metrics_of_a_folder(check: Check, tmp_path: Path) -> None:
    for age, (name, run) in enumerate((("metrics-2.jsonl", "kept_first"), ("metrics-1.jsonl", "good"))):
        file = tmp_path / name
        file.write_text((RUNS / f"{run}.jsonl").read_text())
        os.utime(file, (1000 + age, 1000 + age))
    assert check(tmp_path) == check(RUNS / "good.jsonl")


@pytest.mark.parametrize(
    ("difference", "correlation", "word"),
    [
        (0.005, 0.99, None),
        (0.0051, 0.999, "look"),
        (0.0101, 0.999, "bad"),
        (0.001, 0.989, "look"),
        (0.001, 0.949, "bad"),
        (math.nan, 0.999, "bad"),
        (0.001, math.nan, "bad"),
    ],
)
def test_the_limits(difference: float, correlation: float, word: str | None) -> None:
    assert [doubt.word for doubt in doubts({1: step(difference, correlation)})] == ([word] if word else [])


def test_the_console_log_shows_the_same(check: Check, tmp_path: Path) -> None:
    log = tmp_path / "verl.log"
    lines = [json.loads(line) for line in (RUNS / "good.jsonl").open()]
    pairs = [" - ".join(f"{key}:{value}" for key, value in line["data"].items()) for line in lines]
    colour = "\x1b[36m(TaskRunnerV1 pid=1)\x1b[0m step:"
    log.write_text("Training Progress: 0%\n" + "".join(f"{colour}{i} - {p}\n" for i, p in enumerate(pairs, start=1)))
    assert check(log) == check(RUNS / "good.jsonl")
    assert check(tmp_path) == check(log), "a folder without metrics files has its console log"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no step in it"),
        ("hello\n", "no step in it"),
        ('{"step": 1, "data": {"critic/score/mean": 1}}\n', "calculate_log_probs=True"),
        ('{"step": 1, "data": {}}\n{"step": \n{"step": 3, "data": {}}\n', "line 2: not a line of verl's file logger"),
        ('{"other": 1}\n{"step": 3, "data": {}}\n', "line 1: not a line"),
    ],
)
def test_a_file_that_shows_nothing_gives_one_line(check: Check, tmp_path: Path, text: str, message: str) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text(text)
    code, lines, error = check(log)
    assert (code, lines, error.count("\n")) == (2, [], 1)
    assert message in error and error.startswith(f"error: {log}")


def test_a_file_that_is_not_there(check: Check, tmp_path: Path) -> None:
    assert check(tmp_path / "no") == (2, [], f"error: {tmp_path}/no: No such file or directory\n")


def test_half_a_line_at_the_end_of_a_killed_run_is_left_out(check: Check, tmp_path: Path) -> None:
    log = write(tmp_path, step(), step(correlation=0.5), end='{"step":3,"da')
    assert check(log)[1][0] == "steps            1 to 2, 2 compared"
