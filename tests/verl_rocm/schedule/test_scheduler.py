"""Small schedules worked out by hand, and what a span says of its steps."""

from __future__ import annotations

import re

import pytest

from verl_rocm.schedule.model import Limits, Request, ScheduleError
from verl_rocm.schedule.scheduler import simulate
from verl_rocm.schedule.summary import captured, summarise

LIMITS = Limits(max_num_seqs=4, max_num_batched_tokens=64, max_model_len=100, kv_blocks=50)


def test_one_request_is_a_prefill_and_its_decodes() -> None:
    first, rest = simulate([Request(0, 20, 6)], LIMITS).spans
    assert (first.steps, first.prefill_tokens, first.prefill_pairs, first.decodes) == (1, 20, 210, 0)
    assert (rest.steps, rest.decodes, rest.context) == (5, 1, 21)
    assert rest.context_total == 21 + 22 + 23 + 24 + 25


def test_samples_of_a_prompt_share_its_full_blocks() -> None:
    (first, *_) = simulate([Request(0, 40, 2), Request(0, 40, 2)], LIMITS).spans
    assert first.scheduled == ((0, 40), (1, 8))  # 40 tokens are two full blocks and 8 more
    (full, *_) = simulate([Request(0, 32, 2), Request(0, 32, 2)], LIMITS).spans
    assert full.scheduled == ((0, 32), (1, 16))  # the last token is computed for its logits, so its whole block is
    (alone, *_) = simulate([Request(0, 40, 2), Request(1, 40, 2)], LIMITS).spans
    assert alone.scheduled == ((0, 40), (1, 24))  # another prompt shares nothing; the budget cuts it


def test_a_summary_counts_small_batches_padding_and_steps_without_graph() -> None:
    schedule = simulate([Request(0, 8, 11), Request(1, 8, 5), Request(2, 8, 5)], LIMITS)
    summary = summarise([schedule], sizes=(1, 2))
    assert (summary.steps, summary.decode_steps) == (11, 10)
    assert summary.small_steps == 1.0
    assert summary.no_graph_steps == pytest.approx(4 / 10)  # three in the batch, and the largest graph has two
    assert summary.padding == 0
    assert summarise([schedule], sizes=(4,)).padding == pytest.approx((4 * 1 + 6 * 3) / (4 * 3 + 6))
    assert summarise([schedule], sizes=()).no_graph_steps == 1.0


@pytest.mark.parametrize(("tokens", "size"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, None)])
def test_the_next_captured_size_serves_a_batch(tokens: int, size: int | None) -> None:
    assert captured(tokens, (1, 2, 4)) == size


def test_preemption_takes_the_last_admitted_and_computes_it_again() -> None:
    limits = Limits(
        max_num_seqs=2, max_num_batched_tokens=64, max_model_len=100, kv_blocks=6, enable_prefix_caching=False
    )
    schedule = simulate([Request(0, 30, 40), Request(1, 30, 40)], limits)
    assert [span.preempted for span in schedule.spans if span.preempted] == [(1,)]
    summary = summarise([schedule], sizes=())
    assert (summary.preemptions, summary.recomputed_tokens) == (1, 33)  # 30 of the prompt and the 3 that it had made


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(0, 90, 11), "request 0 (90 + 11 tokens) exceeds max_model_len 100; shorten it or raise the limit"),
        (Request(0, 0, 1), "request 0 (0 + 1 tokens): prompt and response need at least one token each"),
        (Request(0, 1, 0), "request 0 (1 + 0 tokens): prompt and response need at least one token each"),
    ],
)
def test_a_request_that_can_never_run(request_: Request, says: str) -> None:
    with pytest.raises(ScheduleError, match=f"^{re.escape(says)}$"):
        simulate([request_], LIMITS)


def test_a_request_larger_than_the_cache() -> None:
    small = Limits(max_num_seqs=4, max_num_batched_tokens=64, max_model_len=100, kv_blocks=4)
    assert simulate([Request(0, 40, 9)], small).steps == 9  # 48 of its 49 tokens are written
    with pytest.raises(ScheduleError, match=r"^request 0 \(40 \+ 10 tokens\) exceeds the KV cache of 48 tokens; "):
        simulate([Request(0, 40, 10)], small)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"max_num_seqs": 0}, "max_num_seqs is 0; give a whole number above 0"),
        ({"max_num_seqs": 65}, "max_num_batched_tokens 64 is below max_num_seqs 65, which vLLM refuses; raise it"),
        ({"kv_blocks": 1}, "the KV cache has 1 blocks; it needs a null block and one more"),
        ({"enable_chunked_prefill": False}, "max_num_batched_tokens 64 is below max_model_len 100 without chunked "),
    ],
)
def test_limits_that_no_engine_has(limits: dict[str, int], says: str) -> None:
    values = {"max_num_seqs": 4, "max_num_batched_tokens": 64, "max_model_len": 100, "kv_blocks": 50} | limits
    with pytest.raises(ScheduleError, match=f"^{re.escape(says)}"):
        Limits(**values)  # type: ignore[arg-type]
