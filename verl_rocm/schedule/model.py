"""What a schedule is made of and from."""

from __future__ import annotations

from dataclasses import dataclass


class ScheduleError(Exception):
    """Requests or limits that no schedule can be made of; one line: what is wrong, where, what to do."""


@dataclass(frozen=True)
class Request:
    """One sample: tokens of its prompt and of its response; samples of one ``prompt`` share its KV cache blocks."""

    prompt: int
    prompt_tokens: int
    response_tokens: int


@dataclass(frozen=True)
class Limits:
    """What the engine allows in a step, by vLLM's own names; ``kv_blocks`` counts the null block, as vLLM's log does.

    The synchronous scheduler of vLLM 0.30.0 (``vllm/v1/core/sched/scheduler.py``) with one group of full attention.
    """

    max_num_seqs: int
    max_num_batched_tokens: int
    max_model_len: int
    kv_blocks: int
    block_size: int = 16
    enable_chunked_prefill: bool = True
    enable_prefix_caching: bool = True
    long_prefill_token_threshold: int = 0
    scheduler_reserve_full_isl: bool = True
    watermark: float = 0.0

    def __post_init__(self) -> None:
        for name in ("max_num_seqs", "max_num_batched_tokens", "max_model_len", "block_size"):
            if getattr(self, name) < 1:
                raise ScheduleError(f"{name} is {getattr(self, name)}; give a whole number above 0")
        if self.max_num_batched_tokens < self.max_num_seqs:
            raise ScheduleError(
                f"max_num_batched_tokens {self.max_num_batched_tokens} is below max_num_seqs {self.max_num_seqs}, "
                "which vLLM refuses; raise it"
            )
        if self.kv_blocks < 2:
            raise ScheduleError(f"the KV cache has {self.kv_blocks} blocks; it needs a null block and one more")
        if not self.enable_chunked_prefill and self.max_num_batched_tokens < self.max_model_len:
            raise ScheduleError(
                f"max_num_batched_tokens {self.max_num_batched_tokens} is below max_model_len {self.max_model_len} "
                "without chunked prefill, which vLLM refuses; raise it or turn chunked prefill on"
            )

    @property
    def usable_tokens(self) -> int:
        """Tokens that the KV cache holds at most."""
        return (self.kv_blocks - 1) * self.block_size

    def check(self, requests: tuple[Request, ...]) -> None:
        """Refuse requests that can never run.

        Raises:
            ScheduleError: a length below 1, above ``max_model_len``, or above the whole KV cache.
        """
        for number, request in enumerate(requests):
            total = request.prompt_tokens + request.response_tokens
            where = f"request {number} ({request.prompt_tokens} + {request.response_tokens} tokens)"
            if request.prompt_tokens < 1 or request.response_tokens < 1:
                raise ScheduleError(f"{where}: prompt and response need at least one token each")
            if total > self.max_model_len:
                raise ScheduleError(
                    f"{where} exceeds max_model_len {self.max_model_len}; shorten it or raise the limit"
                )
            if total - 1 > self.usable_tokens:  # the last token is never written
                raise ScheduleError(f"{where} exceeds the KV cache of {self.usable_tokens} tokens; give it more memory")


@dataclass(frozen=True)
class Span:
    """Equal steps in a row: the same requests with the same number of tokens each.

    ``scheduled`` has (request, tokens) in the order of the batch.  ``decodes`` counts requests that make their next
    token; ``context`` is the sum of the tokens that those read (their own included) in the first step, and grows by
    ``decodes`` with each step.  ``prefill_tokens`` are those of the other requests, ``prefill_context`` what these read
    at the end of their chunk, ``prefill_pairs`` the pairs of tokens that attend to each other.  A span with prefill
    has one step.
    """

    steps: int
    scheduled: tuple[tuple[int, int], ...]
    decodes: int
    context: int
    prefill_tokens: int = 0
    prefill_requests: int = 0
    prefill_context: int = 0
    prefill_pairs: int = 0
    preempted: tuple[int, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens of one step, as vLLM counts them for the choice of a graph."""
        return self.decodes + self.prefill_tokens

    @property
    def context_total(self) -> int:
        """Tokens read by the decodes over all steps of the span."""
        return self.steps * self.context + self.decodes * self.steps * (self.steps - 1) // 2


@dataclass(frozen=True)
class Schedule:
    """All steps of one engine, and how often a request lost its KV cache."""

    spans: tuple[Span, ...]
    preemptions: int

    @property
    def steps(self) -> int:
        """Forward passes."""
        return sum(span.steps for span in self.spans)
