"""What holds for every schedule; fails if a step exceeds a limit, a token is lost, or more work takes less time."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from verl_rocm.schedule.model import Limits, Request, Schedule
from verl_rocm.schedule.scheduler import simulate

LIMITS = Limits(max_num_seqs=6, max_num_batched_tokens=40, max_model_len=200, kv_blocks=14)
REQUESTS = st.lists(
    st.builds(Request, prompt=st.integers(0, 3), prompt_tokens=st.just(37), response_tokens=st.integers(1, 120)),
    min_size=1,
    max_size=20,
).map(tuple)
MANY = settings(max_examples=60, deadline=None)


def generated(schedule: Schedule, requests: tuple[Request, ...]) -> dict[int, int]:
    """Tokens that each request made: one in each step after which all that it has are computed (no shared prompts)."""
    count = dict.fromkeys(range(len(requests)), 0)
    computed = dict.fromkeys(range(len(requests)), 0)
    for span in schedule.spans:
        for number in span.preempted:
            computed[number] = 0
        for number, tokens in span.scheduled:
            computed[number] += tokens * span.steps
            count[number] += span.steps if computed[number] >= requests[number].prompt_tokens + count[number] else 0
    return count


@given(REQUESTS)
@MANY
def test_every_response_gets_its_tokens_and_no_step_exceeds_a_limit(requests: tuple[Request, ...]) -> None:
    limits = replace(LIMITS, enable_prefix_caching=False)
    schedule = simulate(requests, limits)
    assert generated(schedule, requests) == {i: request.response_tokens for i, request in enumerate(requests)}
    for span in schedule.spans:
        numbers = [number for number, _ in span.scheduled]
        assert len(set(numbers)) == len(numbers) <= limits.max_num_seqs
        assert 0 < span.tokens == sum(tokens for _, tokens in span.scheduled) <= limits.max_num_batched_tokens
        assert span.steps == 1 or not span.prefill_tokens


@given(REQUESTS, st.data())
@MANY
def test_a_longer_response_never_ends_the_rollout_earlier_with_a_slot_for_each(
    requests: tuple[Request, ...], data: st.DataObject
) -> None:
    """With slots and memory for all; when they are short a longer answer can change who waits for whom."""
    roomy = replace(LIMITS, max_num_seqs=40, kv_blocks=1000)
    number = data.draw(st.integers(0, len(requests) - 1))
    longer = list(requests)
    longer[number] = replace(
        longer[number], response_tokens=longer[number].response_tokens + data.draw(st.integers(1, 30))
    )
    assert simulate(tuple(longer), roomy).steps >= simulate(requests, roomy).steps


@given(REQUESTS)
@MANY
def test_one_more_request_never_takes_fewer_steps_with_a_slot_for_each(requests: tuple[Request, ...]) -> None:
    roomy = replace(LIMITS, max_num_seqs=40, kv_blocks=1000)
    assert simulate(requests, roomy).steps >= simulate(requests[:-1], roomy).steps if requests[:-1] else True


@given(REQUESTS)
@MANY
def test_memory_for_everything_never_preempts(requests: tuple[Request, ...]) -> None:
    """More memory in general may preempt more often, since it admits more requests; memory for all slots does not."""
    blocks = LIMITS.max_num_seqs * -(-LIMITS.max_model_len // LIMITS.block_size) + 1
    assert simulate(requests, replace(LIMITS, kv_blocks=blocks)).preemptions == 0
