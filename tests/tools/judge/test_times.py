"""The judge of times: a verdict for each figure that can be predicted, a reason for each row that cannot."""

from __future__ import annotations

import pytest

from tools.judge.times import Row, judged, summary

SERVED = {
    "id": "served",
    "source": "somebody/somewhere#1",
    "gpu": "MI300X",
    "model": "Qwen3Guard-Gen-8B",
    "input": 1024,
    "output": 1024,
    "concurrency": 32,
    "mean_tpot_ms": 9.42,
    "output_tok_s": 2701.39,
}


def test_the_row_that_the_calibration_was_fitted_on_lies_inside() -> None:
    verdicts = judged([Row.model_validate(SERVED)])
    assert [(verdict.quantity, verdict.unit, verdict.inside) for verdict in verdicts] == [
        ("time a token", "ms", True),
        ("throughput", "tokens/s", True),
    ]
    for verdict in verdicts:
        assert verdict.low is not None and verdict.high is not None and verdict.low < verdict.high
        assert verdict.predicted == (verdict.low + verdict.high) / 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": "Gemma 4 E2B bf16"}, "the shape of Gemma 4 E2B bf16 is not known to the work layer"),
        ({"gpu": "8x H100"}, "8x H100 is not a GPU of the guide"),
        ({"gpu": "MI355X"}, "matrix_bf16 is not calibrated for the MI355X (gfx950): "),
        ({"concurrency": None}, "it names no batch, prompt and response together"),
        ({"mean_tpot_ms": None, "req_s_8xTP1": {"16": 9000.0}}, "it is faster than the GPU's peak bandwidth allows"),
    ],
)
def test_a_row_without_a_prediction_says_why(change: dict[str, object], reason: str) -> None:
    (verdict,) = judged([Row.model_validate(SERVED | change)])
    assert verdict.predicted is None and verdict.why.startswith(reason)


def test_a_miss_on_an_even_line_is_counted_there() -> None:
    slow = SERVED | {"id": "slow", "mean_tpot_ms": 94.2, "output_tok_s": None}
    verdicts = judged([Row.model_validate(SERVED), Row.model_validate(slow)])
    assert [(verdict.id, verdict.half, verdict.inside) for verdict in verdicts] == [
        ("served", "odd", True),
        ("served", "odd", True),
        ("slow", "even", False),
    ]
    text = summary(verdicts)
    assert text.startswith(
        "time: 2 of 2 rows predicted; odd (fitted on): 2 of 2 figures inside the range, median error "
    )
    assert "; even (judged by): 0 of 1 figures inside the range, median error 90." in text
