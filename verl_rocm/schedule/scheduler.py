"""vLLM's scheduler without a model: which request runs in which step with how many tokens.

Written after ``Scheduler.schedule`` and ``KVCacheManager.allocate_slots`` of vLLM 0.30.0, policy ``fcfs``, synchronous;
``tests/verl_rocm/engine/test_schedule.py`` drives the real scheduler beside it and compares every step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from .blocks import Block, BlockPool
from .decodes import Decodes
from .model import Limits, Request, Schedule, Span
from .sample import Sample


class Engine:
    """One replica; :meth:`run` makes its schedule.

    Steps in which all running requests make one token are counted by :class:`Decodes` without touching each request;
    a step with a prefill chunk left over looks at each one as vLLM does.
    """

    def __init__(self, requests: Sequence[Request], limits: Limits) -> None:
        limits.check(tuple(requests))
        self.limits = limits
        self.size = limits.block_size
        self.pool = BlockPool(limits.kv_blocks)
        self.reserve = int(limits.watermark * limits.kv_blocks)
        self.waiting = deque(Sample(number, request) for number, request in enumerate(requests))
        self.running: list[Sample] = []
        self.decodes = Decodes(self.size)
        self.preemptions = 0

    def run(self) -> Schedule:
        """All steps until the last response is complete."""
        spans = []
        while self.waiting or self.running:
            every = len(self.decodes) == len(self.running) <= self.limits.max_num_batched_tokens
            spans.append(self._decode_step() if every else self._mixed_step())
        return Schedule(tuple(spans), self.preemptions)

    def _decode_step(self) -> Span:
        """Every running request makes a token, and waiting ones may start; repeated if none does and none ends."""
        decodes = self.decodes
        preempted: list[Sample] = []
        while decodes.need(1) > self.pool.free:  # in whatever order they ask, the last ones give way until it is enough
            victim = self.running.pop()
            decodes.remove(victim)
            victim.held = -(-victim.computed // self.size)
            self._preempt(victim, preempted)
        batch = [sample.decode for sample in self.running]
        context = decodes.context
        self.pool.take(decodes.need(1))
        admitted = self._admit_all(self.limits.max_num_batched_tokens - len(batch), preempted)
        steps = 1
        if not admitted and not preempted and batch:
            steps = decodes.steps_until_end()
            if steps > 1:  # the first step has its blocks already
                first = decodes.need(1)
                steps = decodes.steps_within(self.pool.free + first, steps)
                self.pool.take(decodes.need(steps) - first)
        decodes.advance(steps)
        lost = tuple(sample.number for sample in preempted)
        span = self._span(batch, len(batch), context, admitted, steps, (), lost)
        if decodes.end():
            self._drop_ended()
        self._after(admitted)
        return span

    def _mixed_step(self) -> Span:
        """One step, request by request."""
        self._settle()
        budget = self.limits.max_num_batched_tokens
        scheduled: list[tuple[Sample, int]] = []
        preempted: list[Sample] = []
        index = 0
        while index < len(self.running) and budget > 0:
            sample = self.running[index]
            new = self._chunk(sample.tokens - sample.computed, budget)
            if not self._grow(sample, new, preempted):
                break
            scheduled.append((sample, new))
            budget -= new
            index += 1
        batch = [(sample.number, new) for sample, new in scheduled if sample.decoding]
        context = sum(sample.tokens for sample, _ in scheduled if sample.decoding)
        order = [(sample.number, new) for sample, new in scheduled]
        chunks = [pair for pair in scheduled if not pair[0].decoding]
        admitted = self._admit_all(budget, preempted)
        lost = tuple(sample.number for sample in preempted)
        span = self._span(order, len(batch), context, admitted, 1, chunks, lost)
        self._after([*scheduled, *admitted])
        return span

    def _admit_all(self, budget: int, preempted: list[Sample]) -> list[tuple[Sample, int]]:
        """Waiting requests that start in this step, with their tokens; none in a step that preempted one."""
        admitted: list[tuple[Sample, int]] = []
        while not preempted and self.waiting and budget > 0 and len(self.running) < self.limits.max_num_seqs:
            new = self._admit(self.waiting[0], budget)
            if not new:
                break
            admitted.append((self.running[-1], new))
            budget -= new
        return admitted

    def _chunk(self, new: int, budget: int) -> int:
        if 0 < self.limits.long_prefill_token_threshold < new:
            new = self.limits.long_prefill_token_threshold
        return min(new, budget)

    def _admit(self, sample: Sample, budget: int) -> int:
        """Tokens of a waiting request that start now; 0 if it has to wait on."""
        hits: list[Block] = []
        if self.limits.enable_prefix_caching:  # the last token is always computed, for its logits
            hits = self.pool.find(sample.keys(0, (sample.tokens - 1) // self.size, self.size))
        cached = len(hits) * self.size
        new = self._chunk(sample.tokens - cached, sample.tokens)
        if not self.limits.enable_chunked_prefill and new > budget:
            return 0
        new = min(new, budget)
        idle = sum(block.users == 0 for block in hits)
        reserve = self.reserve if self.running else 0
        last = sample.tokens if self.limits.scheduler_reserve_full_isl else cached + new
        if -(-last // self.size) - len(hits) + idle + reserve > self.pool.free:
            return 0
        self.pool.touch(hits)
        sample.known, sample.held, sample.computed = hits, len(hits), cached
        self._hold(sample, cached + new)
        self.running.append(self.waiting.popleft())
        return new

    def _grow(self, sample: Sample, new: int, preempted: list[Sample]) -> bool:
        """Give a running request its blocks, and take them from the last one admitted if there are none."""
        while -(-(sample.computed + new) // self.size) - sample.held > self.pool.free:
            victim = self.running.pop()
            self._preempt(victim, preempted)
            if victim is sample:
                return False
        self._hold(sample, sample.computed + new)
        return True

    def _preempt(self, victim: Sample, preempted: list[Sample]) -> None:
        """It goes to the head of the queue, and its blocks can be found again until others need them."""
        self._share(victim, victim.computed)
        self.pool.give_back(victim.known, 0, victim.held - len(victim.known))
        victim.reset()
        self.waiting.appendleft(victim)
        preempted.append(victim)
        self.preemptions += 1

    def _hold(self, sample: Sample, tokens: int) -> None:
        """Blocks for so many tokens; those of a prompt that are full after this step can be shared from now on."""
        need = -(-tokens // self.size) - sample.held
        if need > 0:
            self.pool.take(need)
            sample.held += need
        if not sample.decoding:
            self._share(sample, tokens)

    def _share(self, sample: Sample, tokens: int) -> None:
        full = tokens // self.size
        if full > len(sample.known) and self.limits.enable_prefix_caching:
            sample.known += [self.pool.fill(key) for key in sample.keys(len(sample.known), full, self.size)]

    def _drop_ended(self) -> None:
        """Complete requests give their blocks back, in the order of the batch; nobody looks for their responses."""
        for sample in self.running:
            if sample.ended:
                held = -(-sample.computed // self.size)
                full = sample.computed // self.size if self.limits.enable_prefix_caching else 0
                self.pool.give_back(sample.known, full - len(sample.known), held - full)
        self.running = [sample for sample in self.running if not sample.ended]

    def _settle(self) -> None:
        """Write down what the decodes have come to."""
        for sample in self.decodes.leave():
            sample.held = -(-sample.computed // self.size)

    def _after(self, scheduled: Sequence[tuple[Sample, int]]) -> None:
        """The tokens are computed: requests that had all theirs make one more, and leave with their last."""
        ended = False
        for sample, new in scheduled:
            sample.computed += new
            if sample.computed < sample.tokens:
                continue
            sample.tokens += 1
            if sample.ended:
                ended = True
            else:
                self.decodes.enter(sample)
        if ended:
            self._drop_ended()

    @staticmethod
    def _span(
        batch: list[tuple[int, int]],
        decodes: int,
        context: int,
        admitted: list[tuple[Sample, int]],
        steps: int,
        chunks: Sequence[tuple[Sample, int]] = (),
        preempted: tuple[int, ...] = (),
    ) -> Span:
        tokens = ends = pairs = prefills = 0
        for sample, new in [*chunks, *admitted]:
            prefills += 1
            tokens += new
            ends += sample.computed + new
            pairs += new * sample.computed + new * (new + 1) // 2
        order = (*batch, *((sample.number, new) for sample, new in admitted))
        return Span(steps, order, decodes, context, tokens, prefills, ends, pairs, preempted)


def simulate(requests: Sequence[Request], limits: Limits) -> Schedule:
    """The schedule of one engine to which all requests are given at once, in this order.

    Raises:
        ScheduleError: a request that can never run.
    """
    return Engine(requests, limits).run()
