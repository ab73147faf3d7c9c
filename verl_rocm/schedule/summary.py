"""What a schedule says about graphs and small batches; ``seconds`` weighs the steps where they are known."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .model import Schedule, Span

SMALL = 16  # below it a decode step costs as much as one with half the requests: the weights are read either way


@dataclass(frozen=True)
class Summary:
    """Shares of all decode steps (steps without prefill), of 1; ``padding`` is added tokens per real token."""

    steps: int
    decode_steps: int
    small_steps: float
    small_seconds: float
    no_graph_steps: float
    padding: float
    preemptions: int
    recomputed_tokens: int


def captured(tokens: int, sizes: Sequence[int]) -> int | None:
    """The capture size that serves a batch: the next one; None above the largest, where no graph serves it."""
    position = bisect_left(sizes, tokens)
    return sizes[position] if position < len(sizes) else None


def summarise(
    schedules: Sequence[Schedule], sizes: Sequence[int], seconds: Callable[[Span], float] = lambda span: span.steps
) -> Summary:
    """One summary of all replicas; ``sizes`` are the captured batch sizes in rising order, empty without graphs."""
    spans = [span for schedule in schedules for span in schedule.spans]
    decodes = [span for span in spans if not span.prefill_tokens]
    steps = sum(span.steps for span in decodes)
    weights = [seconds(span) for span in decodes]
    padded = [(span, captured(span.tokens, sizes)) for span in decodes]
    tokens = sum(span.tokens * span.steps for span, size in padded if size)
    added = sum((size - span.tokens) * span.steps for span, size in padded if size)
    small = [span.decodes < SMALL for span in decodes]
    return Summary(
        steps=sum(span.steps for span in spans),
        decode_steps=steps,
        small_steps=_share(sum(span.steps for span, low in zip(decodes, small, strict=True) if low), steps),
        small_seconds=_share(sum(w for w, low in zip(weights, small, strict=True) if low), sum(weights)),
        no_graph_steps=_share(sum(span.steps for span, size in padded if size is None), steps),
        padding=_share(added, tokens),
        preemptions=sum(schedule.preemptions for schedule in schedules),
        recomputed_tokens=_recomputed(schedules),
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _recomputed(schedules: Sequence[Schedule]) -> int:
    """Tokens that were computed again because their request had lost its blocks."""
    total = 0
    for schedule in schedules:
        lost: set[int] = set()
        for span in schedule.spans:
            total += sum(tokens for number, tokens in span.scheduled if number in lost and tokens > 1)
            lost -= {number for number, tokens in span.scheduled if tokens == 1}
            lost |= set(span.preempted)
    return total
