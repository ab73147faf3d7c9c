"""The simulated schedule is vLLM's own, step by step: which request runs with how many tokens, and who is preempted."""

from __future__ import annotations

import random

import pytest

from tests.verl_rocm.engine.vllm_scheduler import Step, steps
from verl_rocm.schedule.model import Limits, Request
from verl_rocm.schedule.scheduler import simulate

ROOMY = Limits(max_num_seqs=8, max_num_batched_tokens=64, max_model_len=256, kv_blocks=400)
CASES = {
    "one wave": ROOMY,
    "long prompts in chunks": Limits(8, 24, 256, 400),
    "whole prompts": Limits(8, 256, 256, 400, enable_chunked_prefill=False),
    "a threshold for long prompts": Limits(8, 64, 256, 400, long_prefill_token_threshold=16),
    "as many slots as tokens": Limits(16, 16, 256, 400),
    "one slot": Limits(1, 64, 256, 400),
    "few blocks": Limits(8, 64, 256, 24),
    "few blocks, no shared prompts": Limits(8, 64, 256, 24, enable_prefix_caching=False),
    "few blocks, admitted by the first chunk": Limits(8, 24, 256, 24, scheduler_reserve_full_isl=False),
    "few blocks, whole prompts": Limits(8, 256, 256, 24, enable_chunked_prefill=False),
    "few blocks, some kept free": Limits(8, 64, 256, 30, watermark=0.1),
    "small blocks": Limits(8, 64, 256, 90, block_size=4),
}


def workload(seed: int, number: int = 40, samples: int = 4) -> tuple[Request, ...]:
    """Prompts with several samples each; some prompts fill their last block exactly, some responses are one token."""
    draw = random.Random(seed)
    prompts = [draw.choice((16, 32, 48, draw.randint(1, 90))) for _ in range(number // samples)]
    return tuple(
        Request(prompt, tokens, draw.choice((1, 17, draw.randint(1, 120))))
        for prompt, tokens in enumerate(prompts)
        for _ in range(samples)
    )


def simulated(requests: tuple[Request, ...], limits: Limits) -> list[Step]:
    """The spans of the simulation as single steps."""
    return [(span.scheduled, span.preempted) for span in simulate(requests, limits).spans for _ in range(span.steps)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limits", CASES.values(), ids=CASES.keys())
def test_every_step_is_that_of_vllm(limits: Limits, seed: int) -> None:
    requests = workload(seed)
    for number, (ours, theirs) in enumerate(zip(simulated(requests, limits), steps(requests, limits), strict=True)):
        assert ours == theirs, f"step {number}"


def drawn(seed: int) -> tuple[tuple[Request, ...], Limits]:
    """Limits and requests that nobody chose; each request fits the cache alone."""
    draw = random.Random(seed)
    size, longest, seqs, chunked = (
        draw.choice((4, 8, 16)),
        draw.choice((128, 256)),
        draw.randint(1, 24),
        draw.random() < 0.75,
    )
    budget = max(seqs, draw.randint(16, 200)) if chunked else longest + draw.randint(0, 100)
    limits = Limits(
        seqs,
        budget,
        longest,
        draw.randint(longest // size + 2, longest // size * 5),
        size,
        chunked,
        draw.random() < 0.7,
        draw.choice((0, 0, 20)),
        draw.random() < 0.6,
        draw.choice((0.0, 0.0, 0.05)),
    )
    samples = draw.choice((1, 2, 4, 8))
    prompts = [
        draw.choice((size, size * 3, draw.randint(1, longest // 2))) for _ in range(draw.randint(2, 60 // samples))
    ]
    return tuple(
        Request(prompt, tokens, draw.choice((1, 2, draw.randint(1, longest - tokens - 1))))
        for prompt, tokens in enumerate(prompts)
        for _ in range(samples)
    ), limits


@pytest.mark.parametrize("seed", range(12))
def test_every_step_is_that_of_vllm_under_drawn_limits(seed: int) -> None:
    requests, limits = drawn(seed)
    assert simulated(requests, limits) == list(steps(requests, limits)), limits


def test_the_cases_reach_what_they_are_for() -> None:
    spans = {name: simulate(workload(0), limits).spans for name, limits in CASES.items()}
    lost = {name: sum(len(span.preempted) for span in part) for name, part in spans.items()}
    assert {name for name, count in lost.items() if count} == {
        name for name in CASES if "few" in name or "small" in name
    }
    assert any(span.steps > 1 for span in spans["one wave"])
    chunks = [dict(span.scheduled) for span in spans["long prompts in chunks"]]
    assert any(count > 1 for step in chunks for count in step.values())
