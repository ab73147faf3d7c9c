"""Rows are read strictly, figures follow from what was weighed, and the summary keeps the halves apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verl_rocm.memory.samples import weighed
from tools.judge.rows import BadRows, Row, read, skipped
from tools.judge.verdicts import Verdict, figures, summary

ROW = Row(
    id="a",
    source="somebody/somewhere#1",
    model="Qwen2.5-7B-Instruct",
    tp=1,
    gpu_memory_gib=192,
    gpu_memory_utilization=0.5,
    weights_gib=14.14,
    available_kv_gib=76,
    kv_tokens=1_000_000,
)


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "engine.jsonl").write_text('{"id": "a", "source": "b"}\n{"id": "c"}\n')
    with pytest.raises(BadRows, match=r"engine.jsonl:2: source: "):
        read(tmp_path)


def test_a_folder_without_rows_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRows, match="is not there: name a folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"tp": None}, "ranks"),
        ({"model": None}, "not named"),
        ({"model": "Nobody-7B"}, "no config of Nobody-7B"),
        ({"weights_gib": None, "kv_tokens": None, "available_kv_gib": None}, "nothing logged"),
    ],
)
def test_rows_without_inputs_are_skipped_with_the_reason(changes: dict[str, object], reason: str) -> None:
    why = skipped(ROW.model_copy(update=changes))
    assert reason in why and bool(why) == bool(reason)


def test_figures_of_a_row() -> None:
    weights, tokens, available = figures(ROW, "odd", weighed(weights=14))
    assert weights.error is not None and round(weights.error, 2) == -0.99
    assert tokens.predicted == weighed(weights=14).holdings[1].tokens
    # 96 GiB of share less 14 of weights and 4 to 8 of overhead
    assert (available.low, available.predicted, available.high) == (74, 76, 78)
    assert "max_num_seqs 1024 assumed" in available.why


def test_summary_keeps_the_halves_apart() -> None:
    verdicts = [
        Verdict(ROW, "odd", "weights", "GiB", 100, 101),
        Verdict(ROW.model_copy(update={"id": "b"}), "even", "weights", "GiB", 100, 97),
        Verdict(ROW.model_copy(update={"id": "c"}), "even", "", why="the model is not named"),
    ]
    text = summary(verdicts)
    assert text.startswith(
        "2 of 3 rows predicted; weights odd: median 1.00 %, worst 1.00 % (1); weights even: median 3.00 %"
    )
