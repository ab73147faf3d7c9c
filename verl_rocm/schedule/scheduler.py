"""vLLM's scheduler without a model: which request runs in which step with how many tokens.

Written after ``Scheduler.schedule`` and ``KVCacheManager.allocate_slots`` of vLLM 0.30.0, policy ``fcfs``, synchronous;
``tests/verl_rocm/engine/test_schedule.py`` drives the real scheduler beside it and compares every step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from .blocks import Block, BlockPool, Key
from .model import Limits, Request, Schedule, Span


class _Sample:
    """A request on its way; ``known`` are its full blocks, which others may share, ``held`` all its blocks."""

    __slots__ = ("computed", "end", "held", "known", "number", "prompt", "prompt_tokens", "tokens")

    def __init__(self, number: int, request: Request) -> None:
        self.number = number
        self.prompt = request.prompt
        self.prompt_tokens = request.prompt_tokens
        self.tokens = request.prompt_tokens  # grows with each token made
        self.end = request.prompt_tokens + request.response_tokens
        self.computed = 0
        self.held = 0
        self.known: list[Block] = []

    def keys(self, first: int, last: int, size: int) -> Iterator[Key]:
        """Contents of its blocks; those with a token of its own response belong to it alone."""
        shared = self.prompt_tokens // size
        for index in range(first, last):
            yield ("prompt", self.prompt, index) if index < shared else ("request", self.number, index)


class Engine:
    """One replica; :meth:`run` makes its schedule."""

    def __init__(self, requests: Sequence[Request], limits: Limits) -> None:
        limits.check(tuple(requests))
        self.limits = limits
        self.size = limits.block_size
        self.pool = BlockPool(limits.kv_blocks, limits.enable_prefix_caching)
        self.reserve = int(limits.watermark * limits.kv_blocks)
        self.waiting = deque(_Sample(number, request) for number, request in enumerate(requests))
        self.running: list[_Sample] = []
        self.preemptions = 0

    def run(self) -> Schedule:
        """All steps until the last response is complete."""
        spans = []
        while self.waiting or self.running:
            span, steady = self._step()
            spans.append(span)
            if steady and self.running and (steps := self._steady_steps()):
                spans.append(self._repeat(steps))
        return Schedule(tuple(spans), self.preemptions)

    def _step(self) -> tuple[Span, bool]:
        """One step, and whether the next ones are like it until a response ends or the blocks run out."""
        budget = self.limits.max_num_batched_tokens
        scheduled: list[tuple[_Sample, int]] = []
        preempted: list[_Sample] = []
        index = 0
        while index < len(self.running) and budget > 0:
            sample = self.running[index]
            new = self._chunk(sample.tokens - sample.computed, budget)
            if sample.computed + new > sample.held * self.size and not self._grow(sample, new, preempted):
                break
            self._share(sample, sample.computed + new)
            scheduled.append((sample, new))
            budget -= new
            index += 1
        admitted = False
        while not preempted and self.waiting and budget > 0 and len(self.running) < self.limits.max_num_seqs:
            new = self._admit(self.waiting[0], budget)
            if not new:
                break
            admitted = True
            scheduled.append((self.running[-1], new))
            budget -= new
        span = self._span(scheduled, preempted)
        everyone = len(scheduled) == len(self.running)
        ended = self._finish(scheduled)
        moved = admitted or preempted or span.prefill_tokens
        return span, everyone and not moved and not (ended and self.waiting)

    def _chunk(self, new: int, budget: int) -> int:
        if 0 < self.limits.long_prefill_token_threshold < new:
            new = self.limits.long_prefill_token_threshold
        return min(new, budget)

    def _grow(self, sample: _Sample, new: int, preempted: list[_Sample]) -> bool:
        """Give a running request its blocks, and take them from the last one admitted if there are none."""
        need = -(-(sample.computed + new) // self.size) - sample.held
        while need > self.pool.free:
            victim = self.running.pop()
            self._release(victim)
            victim.computed = 0
            self.waiting.appendleft(victim)
            preempted.append(victim)
            self.preemptions += 1
            if victim is sample:
                return False
        self.pool.take(need)
        sample.held += need
        return True

    def _admit(self, sample: _Sample, budget: int) -> int:
        """Tokens of a waiting request that start now; 0 if it has to wait on."""
        hits: list[Block] = []
        if self.limits.enable_prefix_caching:  # the last token is always computed, for its logits
            hits = self.pool.find(sample.keys(0, (sample.tokens - 1) // self.size, self.size))
        cached = len(hits) * self.size
        new = sample.tokens - cached
        if 0 < self.limits.long_prefill_token_threshold < new:
            new = self.limits.long_prefill_token_threshold
        if not self.limits.enable_chunked_prefill and new > budget:
            return 0
        new = min(new, budget)
        idle = sum(block.users == 0 for block in hits)
        reserve = self.reserve if self.running else 0
        last = sample.tokens if self.limits.scheduler_reserve_full_isl else cached + new
        if -(-last // self.size) - len(hits) + idle + reserve > self.pool.free:
            return 0
        self.pool.touch(hits)
        sample.known = hits
        sample.held = len(hits)
        sample.computed = cached
        need = -(-(cached + new) // self.size) - len(hits)
        self.pool.take(need)
        sample.held += need
        self._share(sample, cached + new)
        self.running.append(self.waiting.popleft())
        return new

    def _share(self, sample: _Sample, tokens: int) -> None:
        """Blocks that are full after this step can be shared from now on."""
        full = tokens // self.size
        if full > len(sample.known) and self.limits.enable_prefix_caching:
            sample.known += [self.pool.fill(key) for key in sample.keys(len(sample.known), full, self.size)]

    def _release(self, sample: _Sample) -> None:
        self.pool.give_back(reversed(sample.known), sample.held - len(sample.known))
        sample.known, sample.held = [], 0

    def _span(self, scheduled: list[tuple[_Sample, int]], preempted: list[_Sample]) -> Span:
        decodes = context = prefills = tokens = ends = pairs = 0
        for sample, new in scheduled:
            if new == 1 and sample.computed == sample.tokens - 1 and sample.tokens > sample.prompt_tokens:
                decodes += 1
                context += sample.tokens
            else:
                prefills += 1
                tokens += new
                ends += sample.computed + new
                pairs += new * sample.computed + new * (new + 1) // 2
        batch = tuple((sample.number, new) for sample, new in scheduled)
        lost = tuple(sample.number for sample in preempted)
        return Span(1, batch, decodes, context, tokens, prefills, ends, pairs, lost)

    def _finish(self, scheduled: list[tuple[_Sample, int]]) -> bool:
        """The tokens are computed: requests that had all theirs make one more, and leave with their last."""
        ended = set()
        for sample, new in scheduled:
            sample.computed += new
            if sample.computed == sample.tokens:
                sample.tokens += 1
                if sample.tokens == sample.end:
                    self._release(sample)
                    ended.add(sample.number)
        if ended:
            self.running = [sample for sample in self.running if sample.number not in ended]
        return bool(ended)

    def _steady_steps(self) -> int:
        """Steps in which every running request makes one token: until the first response ends or blocks are short."""
        steps = min(sample.end - sample.tokens for sample in self.running)
        if self._blocks_for(steps) <= self.pool.free:
            return steps
        low, high = 0, steps
        while high - low > 1:  # low fits, high does not
            middle = (low + high) // 2
            low, high = (middle, high) if self._blocks_for(middle) <= self.pool.free else (low, middle)
        return low

    def _blocks_for(self, steps: int) -> int:
        size = self.size
        return sum((sample.computed + steps - 1) // size + 1 - sample.held for sample in self.running)

    def _repeat(self, steps: int) -> Span:
        """The same decode step ``steps`` times."""
        batch = tuple([(sample.number, 1) for sample in self.running])
        context = sum([sample.tokens for sample in self.running])
        size, need = self.size, 0
        filled: list[_Sample] = []
        ended: list[_Sample] = []
        for sample in self.running:
            sample.computed += steps
            sample.tokens += steps
            more = (sample.computed - 1) // size + 1 - sample.held
            if more:
                need += more
                sample.held += more
            if sample.computed // size > len(sample.known):
                filled.append(sample)
            if sample.tokens == sample.end:
                ended.append(sample)
        self.pool.take(need)
        for sample in filled:
            self._share(sample, sample.computed)
        for sample in ended:
            self._release(sample)
        if ended:
            self.running = [sample for sample in self.running if sample.tokens < sample.end]
        return Span(steps, batch, len(batch), context)


def simulate(requests: Sequence[Request], limits: Limits) -> Schedule:
    """The schedule of one engine to which all requests are given at once, in this order.

    Raises:
        ScheduleError: a request that can never run.
    """
    return Engine(requests, limits).run()
