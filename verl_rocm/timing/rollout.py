"""Seconds of each span of a schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from verl_rocm.schedule.model import Schedule, Span
from verl_rocm.schedule.summary import captured
from verl_rocm.work.forward import Batch, Split, Work, forward
from verl_rocm.work.shape import Shape


def work_of(span: Span, shape: Shape, split: Split, sizes: Sequence[int]) -> Work:
    """The mean step of a span on one GPU: a decode is padded to the next captured size, prefill is not."""
    tokens = span.tokens if span.prefill_tokens else captured(span.tokens, sizes) or span.tokens
    context = span.context_total / span.steps + span.prefill_context
    return forward(
        shape,
        split,
        Batch(
            tokens=tokens,
            outputs=span.decodes + span.prefill_requests,
            context=round(context),
            pairs=round(span.context_total / span.steps) + span.prefill_pairs,
        ),
    )


def total(schedule: Schedule, seconds: Callable[[Span], float]) -> float:
    """Seconds of all spans; ``seconds`` is that of one mean step."""
    return sum(span.steps * seconds(span) for span in schedule.spans)


def ends(schedule: Schedule, seconds: Callable[[Span], float]) -> Iterator[tuple[int, float, float]]:
    """Of each request: its number, when its first token came, and its last."""
    clock = 0.0
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    for span in schedule.spans:
        step = seconds(span)
        for number, _ in span.scheduled:
            last[number] = clock + step * span.steps
            if span.prefill_tokens:
                first[number] = last[number] if number not in first else first[number]
        clock += step * span.steps
    for number, when in last.items():
        yield number, first[number], when
