"""A request on its way through the engine."""

from __future__ import annotations

from collections.abc import Iterator

from .blocks import Block, Key
from .model import Request


class Sample:
    """``tokens`` are all that it has, ``computed`` those in the KV cache, ``end`` all that it will have.

    ``known`` are its full blocks, which others may share, ``held`` all its blocks, as far as they are written down:
    while :class:`Decodes` counts for it, both and ``computed`` stay behind.
    """

    __slots__ = ("computed", "decode", "end", "held", "known", "number", "prompt", "prompt_tokens", "tokens")

    def __init__(self, number: int, request: Request) -> None:
        self.number = number
        self.decode = (number, 1)  # its entry in the batch of a decode step
        self.prompt = request.prompt
        self.prompt_tokens = request.prompt_tokens
        self.tokens = request.prompt_tokens
        self.end = request.prompt_tokens + request.response_tokens
        self.reset()

    def reset(self) -> None:
        """Nothing of it is in the KV cache."""
        self.computed = 0
        self.held = 0
        self.known: list[Block] = []

    @property
    def decoding(self) -> bool:
        """All but its newest token are computed, and it has made one."""
        return self.computed == self.tokens - 1 and self.tokens > self.prompt_tokens

    @property
    def ended(self) -> bool:
        """Its last token is made."""
        return self.tokens >= self.end

    def keys(self, first: int, last: int, size: int) -> Iterator[Key]:
        """Contents of its blocks; those with a token of its own response belong to it alone."""
        shared = self.prompt_tokens // size
        for index in range(first, last):
            yield ("prompt", self.prompt, index) if index < shared else ("request", self.number, index)
