"""The page on weight sync: its short script, its command, and the outputs that it shows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from snippets.how_to import weight_sync
from verl_rocm.synccheck import judge, metrics

ROOT = Path(__file__).parents[3]
HOW_TO = ROOT / "snippets" / "how_to"
RUNS = ROOT / "tests" / "support" / "weight_sync"


@pytest.mark.block("how_to/weight_sync.py", "judge")
@pytest.mark.parametrize(("run", "bad", "steps"), [("good", 0, 20), ("kept_first", 19, 20), ("never_loaded", 2, 2)])
def test_the_script(capsys: pytest.CaptureFixture[str], run: str, bad: int, steps: int) -> None:
    assert weight_sync.main(str(RUNS / f"{run}.jsonl")) == (1 if bad else 0)
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), sum(line.endswith("bad") for line in lines)) == (steps, bad)


@pytest.mark.block("how_to/weight_sync.py", "judge")
def test_the_script_and_the_command_read_the_same() -> None:
    assert (weight_sync.DIFFERENCE, weight_sync.CORRELATION) == (metrics.DIFFERENCE, metrics.CORRELATION)
    limits = f"difference <= {judge.DIFFERENCE_BAD} and correlation >= {judge.CORRELATION_BAD}"
    assert limits in (HOW_TO / "weight_sync.py").read_text()


@pytest.mark.block("how_to/weight_sync.py", "judge")
@pytest.mark.parametrize(("line", "code"), [("", 1), ('{"step": 1, "data": {}}', 1)])
def test_a_run_without_the_comparison_is_not_good(tmp_path: Path, line: str, code: int) -> None:
    (tmp_path / "metrics.jsonl").write_text(line)
    assert weight_sync.main(str(tmp_path / "metrics.jsonl")) == code


@pytest.mark.block("how_to/weight_sync.sh", "check")
@pytest.mark.block("how_to/weight_sync_good.txt", "output", evidence="checked")
@pytest.mark.block("how_to/weight_sync_bad.txt", "output", evidence="checked")
@pytest.mark.parametrize(("run", "output", "code"), [("good", "good", 0), ("kept_first", "bad", 1)])
def test_the_command_prints_what_the_page_shows(tmp_path: Path, run: str, output: str, code: int) -> None:
    command = tmp_path / "verl-rocm"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m verl_rocm "$@"\n')
    command.chmod(0o755)
    variables = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "RUN": str(RUNS / f"{run}.jsonl")}
    script = ["bash", str(HOW_TO / "weight_sync.sh")]
    done = subprocess.run(script, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert (HOW_TO / f"weight_sync_{output}.txt").read_text().splitlines()[1:-1] == done.stdout.splitlines()
