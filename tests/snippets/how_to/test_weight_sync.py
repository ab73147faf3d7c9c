"""The judge of the weight sync, on metrics that real runs of the recipe left (tests/recipes/test_weight_sync.py)."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from snippets.how_to import weight_sync

ROOT = Path(__file__).parents[3]
HOW_TO = ROOT / "snippets" / "how_to"
RUNS = ROOT / "tests" / "support" / "weight_sync"


def judge(file: Path | str) -> tuple[int, str, str]:
    command = [sys.executable, str(HOW_TO / "weight_sync.py"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def write(folder: Path, *steps: dict[str, float], end: str = "") -> Path:
    """A metrics file with these steps."""
    log = folder / "metrics.jsonl"
    lines = [json.dumps({"step": number, "data": data}) for number, data in enumerate(steps, start=1)]
    log.write_text("\n".join(lines) + "\n" + end)
    return log


def step(difference: float = 0.001, correlation: float = 0.999) -> dict[str, float]:
    return {weight_sync.DIFFERENCE: difference, weight_sync.CORRELATION: correlation}


@pytest.mark.block("how_to/weight_sync.py", "imports", "limits", "read", "judge")
@pytest.mark.block("how_to/weight_sync_good.txt", "output", evidence="checked")
@pytest.mark.block("how_to/weight_sync_bad.txt", "output", evidence="checked")
@pytest.mark.parametrize(
    ("run", "code", "shown", "verdict"),
    [
        ("good", 0, "good", "rollout and actor agree at every step"),
        ("kept_first", 1, "bad", "19 of 20 steps sampled with other weights than the actor's"),
        ("never_loaded", 1, "", "2 of 2 steps sampled with other weights than the actor's"),
    ],
)
def test_real_runs(run: str, code: int, shown: str, verdict: str) -> None:
    found, said, _ = judge(RUNS / f"{run}.jsonl")
    assert (found, said.splitlines()[-1]) == (code, f"verdict: {verdict}")
    if shown:
        assert (HOW_TO / f"weight_sync_{shown}.txt").read_text().splitlines()[1:-1] == said.splitlines()


def test_what_the_page_says_of_the_bad_runs() -> None:
    stayed = [json.loads(line)["data"] for line in (RUNS / "kept_first.jsonl").open()]
    assert stayed[0][weight_sync.CORRELATION] > 0.99, "with the weights of the start, step 1 is still right"
    for run in ("kept_first", "never_loaded"):
        steps = weight_sync.read(RUNS / f"{run}.jsonl").values()
        assert all(data[weight_sync.DIFFERENCE] < weight_sync.DIFFERENCE_GOOD for data in steps), run


@pytest.mark.block("how_to/weight_sync.sh", "judge")
def test_the_command_takes_the_newest_metrics_of_a_folder(tmp_path: Path) -> None:
    for age, (name, run) in enumerate((("metrics-2.jsonl", "kept_first"), ("metrics-1.jsonl", "good"))):
        file = tmp_path / name
        file.write_text((RUNS / f"{run}.jsonl").read_text())
        os.utime(file, (1000 + age, 1000 + age))
    python = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "RUN": str(tmp_path)}
    command = ["bash", str(HOW_TO / "weight_sync.sh")]
    done = subprocess.run(command, cwd=HOW_TO, env=os.environ | python, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "verdict: rollout and actor agree at every step")


@pytest.mark.block("how_to/weight_sync.py", "limits", "judge")
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
    found = [word for word, _ in weight_sync.findings({1: step(difference, correlation)})]
    assert found == ([word] if word else [])


@pytest.mark.block("how_to/weight_sync.py", "read")
def test_the_console_log_says_the_same(tmp_path: Path) -> None:
    log = tmp_path / "verl.log"
    lines = [json.loads(line) for line in (RUNS / "good.jsonl").open()]
    pairs = [" - ".join(f"{key}:{value}" for key, value in line["data"].items()) for line in lines]
    colour = "\x1b[36m(TaskRunnerV1 pid=1)\x1b[0m step:"
    log.write_text("Training Progress: 0%\n" + "".join(f"{colour}{i} - {p}\n" for i, p in enumerate(pairs, start=1)))
    assert judge(log)[:2] == judge(RUNS / "good.jsonl")[:2]
    assert judge(tmp_path)[:2] == judge(log)[:2], "a folder without metrics files has its console log"


@pytest.mark.block("how_to/weight_sync.py", "read")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no step in it"),
        ("hello\n", "no step in it"),
        ('{"step": 1, "data": {"critic/score/mean": 1}}\n', "calculate_log_probs=True"),
        ('{"step": 1, "data": {}}\n{"step": \n{"step": 3, "data": {}}\n', "line 2: not a line of verl's file logger"),
        ('{"other": 1}\n{"step": 3, "data": {}}\n', "line 1: not a line"),
    ],
)
def test_a_file_that_cannot_tell_gives_one_line(tmp_path: Path, text: str, said: str) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text(text)
    code, out, line = judge(log)
    assert (code, out, line.count("\n")) == (2, "", 1)
    assert said in line and line.startswith(f"weight_sync: {log}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert judge(tmp_path / "no")[0::2] == (2, f"weight_sync: {tmp_path}/no: No such file or directory\n")


@pytest.mark.block("how_to/weight_sync.py", "read")
def test_half_a_line_at_the_end_of_a_killed_run_is_left_out(tmp_path: Path) -> None:
    log = write(tmp_path, step(), step(correlation=0.5), end='{"step":3,"da')
    assert judge(log)[1].splitlines()[0] == "steps            1 to 2, 2 compared"
