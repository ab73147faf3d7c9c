"""The judge of times: a verdict for each figure that can be predicted, a reason for each row that cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.judge_time import Row, Verdict, judge, main

SERVED = {
    "id": "served",
    "gpu": "MI300X",
    "model": "Qwen3Guard-Gen-8B",
    "input": 1024,
    "output": 1024,
    "concurrency": 32,
    "mean_tpot_ms": 9.42,
    "output_tok_s": 2701.39,
}


def test_the_row_that_the_calibration_was_fitted_on_lies_inside() -> None:
    verdicts = judge(Row.model_validate(SERVED))
    assert isinstance(verdicts, list)
    assert [(verdict.figure, verdict.inside) for verdict in verdicts] == [("ms a token", True), ("tokens/s", True)]
    assert all(verdict.low < verdict.high for verdict in verdicts)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": "Gemma 4 E2B bf16"}, "the shape of Gemma 4 E2B bf16 is not known to the work layer"),
        ({"gpu": "8x H100"}, "8x H100 is not a GPU of the guide"),
        ({"gpu": "MI355X"}, "matrix_bf16 is not calibrated for the MI355X (gfx950): "),
        ({"concurrency": None}, "it names no batch, prompt and response together"),
        ({"mean_tpot_ms": None, "req_s_8xTP1": {"16": 9000.0}}, "it is faster than the GPU's peak bandwidth allows"),
    ],
)
def test_a_row_without_a_prediction_says_why(change: dict[str, object], says: str) -> None:
    result = judge(Row.model_validate(SERVED | change))
    assert isinstance(result, str) and result.startswith(says)


def test_both_halves_are_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = SERVED | {"id": "slow", "mean_tpot_ms": 94.2, "output_tok_s": None}
    (tmp_path / "micro.jsonl").write_text(f"{json.dumps(SERVED)}\n{json.dumps(slow)}\n")
    assert main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("  2 slow: ms a token ") and lines[2].endswith("measured 94.2: MISS")
    assert lines[3].startswith("odd lines (fitted on): 2 of 2 figures inside the range, median error of its middle ")
    assert lines[4].startswith("even lines (judged by): 0 of 1 figures inside the range")


def test_the_error_is_that_of_the_middle() -> None:
    assert Verdict("r", "f", 8.0, 12.0, 8.0).error == 0.25


def test_no_rows_and_a_broken_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "cannot be read (FileNotFoundError); name the folder of the rows" in capsys.readouterr().err
    (tmp_path / "micro.jsonl").write_text('{"id": 3}\n')
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
