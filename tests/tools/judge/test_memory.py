"""Figures of memory follow from what was weighed, and the summary keeps the halves apart."""

from __future__ import annotations

import pytest

from tests.verl_rocm.memory.samples import weighed
from tools.judge.memory import figures, summary
from tools.judge.memory_rows import Row, skipped
from tools.judge.verdicts import Verdict

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
        Verdict("a", "s", "odd", "weights", "GiB", 100, 101),
        Verdict("b", "s", "even", "weights", "GiB", 100, 97),
        Verdict("c", "s", "even", why="the model is not named"),
    ]
    assert summary(verdicts).startswith(
        "memory: 2 of 3 rows predicted; weights odd: median error 1.00 %, worst 1.00 % (1); "
        "weights even: median error 3.00 %, worst 3.00 % (1); KV tokens odd: none; "
    )
