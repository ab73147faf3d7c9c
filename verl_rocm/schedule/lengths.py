"""Lengths of prompts and responses: from a file, from a verl log, or from a mean and a maximum."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .model import Request, ScheduleError

METRIC = re.compile(r"\b((?:response|prompt)_length/(?:mean|max|clip_ratio)):([-+.\deE]+)")


@dataclass(frozen=True)
class Lengths:
    """One entry a sample, in tokens; ``source`` says where they come from."""

    responses: tuple[int, ...]
    source: str

    def requests(self, prompt_tokens: int, samples: int) -> tuple[Request, ...]:
        """Requests in verl's order: all samples of a prompt one after the other, each prompt of the same length."""
        return tuple(Request(i // samples, prompt_tokens, tokens) for i, tokens in enumerate(self.responses))


def from_file(path: Path) -> Lengths:
    """One whole number a line, in the order of the samples.

    Raises:
        ScheduleError: no file, no number in it, or a line that is no whole number above 0.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ScheduleError(
            f"{path}: cannot be read ({error.__class__.__name__}); give a text file of lengths"
        ) from None
    values = []
    for number, line in enumerate(lines, start=1):
        if not (text := line.strip()):
            continue
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise ScheduleError(f"{path}:{number}: {text[:40]!r} is no length; write tokens, a whole number a line")
        values.append(int(text))
    if not values:
        raise ScheduleError(f"{path}: holds no length; write tokens, a whole number a line")
    return Lengths(tuple(values), str(path))


def from_mean(number: int, mean: float, maximum: int, clipped: float = 0.0, seed: int = 0) -> Lengths:
    """Drawn lengths: the share ``clipped`` has ``maximum`` tokens, the others are exponential between 1 and it.

    The truncated exponential is the distribution that says nothing beyond its range and its mean (maximum entropy).
    ``mean`` is that of all samples, clipped ones included, as verl logs ``response_length/mean``.

    Raises:
        ScheduleError: a mean that no such lengths can have.
    """
    if number < 1 or maximum < 1 or not 0 <= clipped <= 1:
        raise ScheduleError(f"{number} lengths up to {maximum} tokens, {clipped:g} of them clipped, cannot be drawn")
    rest = (mean - clipped * maximum) / (1 - clipped) if clipped < 1 else float(maximum)
    if not 1 <= rest <= maximum:
        raise ScheduleError(
            f"responses of {mean:g} tokens on average cannot lie between 1 and {maximum} with {clipped:.0%} of them "
            "clipped; correct the mean, the maximum or the share"
        )
    draw = random.Random(seed)
    rate = _rate(rest - 1, maximum - 1)
    at_limit = round(clipped * number)
    values = [maximum] * at_limit + [
        1 + round(_quantile(draw.random(), rate, maximum - 1)) for _ in range(number - at_limit)
    ]
    draw.shuffle(values)
    return Lengths(tuple(values), f"drawn, mean {mean:g}, at most {maximum}, {clipped:.0%} clipped, seed {seed}")


def from_log(path: Path, number: int, maximum: int, seed: int = 0) -> tuple[Lengths, float]:
    """Lengths like those of the last step in a verl log, and the mean prompt length of that step.

    verl prints ``response_length/mean`` and its neighbours each step (``verl/trainer/ppo/metric_utils.py``, 0.9.1).

    Raises:
        ScheduleError: no such metrics, or longer responses than ``maximum``.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ScheduleError(
            f"{path}: cannot be read ({error.__class__.__name__}); give the log of a verl run"
        ) from None
    lines = (dict(METRIC.findall(line)) for line in text.splitlines())
    steps = [metrics for metrics in lines if "response_length/mean" in metrics]
    if not steps:
        raise ScheduleError(f"{path}: holds no response_length/mean; give the console log of a verl run")
    try:
        last = {name: float(value) for name, value in steps[-1].items()}
    except ValueError:
        raise ScheduleError(f"{path}: response_length of the last step is no number; give another log") from None
    longest = last.get("response_length/max", 0.0)
    if longest > maximum:
        raise ScheduleError(
            f"{path}: responses have up to {longest:g} tokens, the job allows {maximum}; raise its limit"
        )
    lengths = from_mean(
        number, last["response_length/mean"], maximum, last.get("response_length/clip_ratio", 0.0), seed
    )
    return Lengths(lengths.responses, f"{path}, last of {len(steps)} steps: {lengths.source}"), last.get(
        "prompt_length/mean", 0.0
    )


def place(requests: Sequence[Request], replicas: int) -> tuple[tuple[Request, ...], ...]:
    """Requests of each replica: verl gives each to the one with the fewest in flight, so they go round in turn.

    ``GlobalRequestLoadBalancer`` in ``verl/workers/rollout/router.py``, 0.9.1; all requests of a step start together.
    """
    return tuple(tuple(requests[first::replicas]) for first in range(replicas))


def _quantile(share: float, rate: float, width: float) -> float:
    if abs(rate) * width < 1e-6:
        return share * width
    return -math.log1p(-share * -math.expm1(-rate * width)) / rate


def _rate(mean: float, width: float) -> float:
    """Rate of the exponential on [0, width] with that mean; negative where the mean is above the middle."""
    if width == 0:
        return 0.0
    bound = 700 / width
    low, high = -bound, bound  # the mean falls as the rate grows
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _mean(middle, width) > mean else (low, middle)
    return (low + high) / 2


def _mean(rate: float, width: float) -> float:
    if abs(rate) * width < 1e-6:
        return width / 2
    return 1 / rate - width / math.expm1(rate * width)
