"""Requests that make one token a step, counted together: a clock instead of a loop over the batch."""

from __future__ import annotations

import heapq

from .sample import Sample


class Decodes:
    """``clock`` steps have passed; ``context`` is the sum of the tokens that the next step reads.

    A request needs a block in the steps in which its computed tokens fill its blocks: always at the same remainder of
    the clock by the block size, so that ``due`` counts them by remainder.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.clock = 0
        self.context = 0
        self.due = [0] * size
        self.entered: dict[int, tuple[Sample, int]] = {}  # with the clock when it entered
        self.ends: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.entered)

    def enter(self, sample: Sample) -> None:
        """A request has all but its newest token computed."""
        if sample.number in self.entered:
            return
        self.entered[sample.number] = (sample, self.clock)
        self.due[(self.clock - sample.computed) % self.size] += 1
        heapq.heappush(self.ends, (self.clock + sample.end - sample.tokens, sample.number))
        self.context += sample.tokens

    def need(self, steps: int) -> int:
        """Blocks for the next ``steps`` steps."""
        rounds, rest = divmod(steps, self.size)
        return rounds * len(self.entered) + sum(self.due[(self.clock + step) % self.size] for step in range(rest))

    def steps_until_end(self) -> int:
        """Steps until the first response is complete, that step included."""
        while not self._current(*self.ends[0]):
            heapq.heappop(self.ends)
        return self.ends[0][0] - self.clock

    def _current(self, end: int, number: int) -> bool:
        """Whether an end still holds: its request was not removed, or has come back to the same end."""
        sample, since = self.entered.get(number, (None, 0))
        return sample is not None and since + sample.end - sample.tokens == end

    def steps_within(self, blocks: int, steps: int) -> int:
        """The most steps up to ``steps`` that these blocks allow."""
        if self.need(steps) <= blocks:
            return steps
        low, high = 0, steps
        while high - low > 1:  # low fits, high does not
            middle = (low + high) // 2
            low, high = (middle, high) if self.need(middle) <= blocks else (low, middle)
        return low

    def advance(self, steps: int) -> None:
        """So many steps have passed."""
        self.context += steps * len(self.entered)
        self.clock += steps

    def end(self) -> bool:
        """Requests whose last token is made leave; whether there are any."""
        ended = False
        while self.ends and self.ends[0][0] <= self.clock:
            end, number = heapq.heappop(self.ends)
            if self._current(end, number):
                self._leave(number)
                ended = True
        return ended

    def leave(self) -> list[Sample]:
        """All requests leave, with what they have come to."""
        self.ends.clear()
        return [self._leave(number) for number in list(self.entered)]

    def remove(self, sample: Sample) -> None:
        """One request leaves, with what it has come to."""
        self._leave(sample.number)

    def _leave(self, number: int) -> Sample:
        sample, since = self.entered.pop(number)
        self.due[(since - sample.computed) % self.size] -= 1
        sample.computed += self.clock - since
        sample.tokens += self.clock - since
        self.context -= sample.tokens
        return sample
