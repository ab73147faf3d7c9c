"""KV cache blocks as vLLM's block pool counts, shares and evicts them (``vllm/v1/core/block_pool.py``, 0.30.0).

Blocks that hold nothing reusable are handed out first, so a number is enough for them; freed blocks of known content
wait behind them in the order of their eviction.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

Key = tuple[str, int, int]  # whose content ("prompt" or "request"), its number, index of the block


class Block:
    """One block of known content; or ``count`` in a row that no request will look for any more (no key)."""

    __slots__ = ("count", "key", "users")

    def __init__(self, key: Key | None, count: int = 1, users: int = 1) -> None:
        self.key = key
        self.count = count
        self.users = users


class BlockPool:
    """The free blocks of one engine; ``free`` of them can be handed out."""

    def __init__(self, blocks: int) -> None:
        self.blank = self.free = blocks - 1  # vLLM keeps one null block
        self.evictable: OrderedDict[Block, None] = OrderedDict()
        self.known: dict[Key, dict[Block, None]] = {}

    def find(self, keys: Iterable[Key]) -> list[Block]:
        """The longest run of known blocks; of several with one content the oldest, as vLLM takes it."""
        hits = []
        for key in keys:
            same = self.known.get(key)
            if not same:
                break
            hits.append(next(iter(same)))
        return hits

    def take(self, number: int) -> None:
        """Hand out blocks: blank ones first, then those that wait longest, whose content is lost."""
        self.free -= number
        lost = number - self.blank
        self.blank = max(-lost, 0)
        while lost > 0:
            block = next(iter(self.evictable))
            if block.count > lost:
                block.count -= lost
                return
            lost -= block.count
            del self.evictable[block]
            if block.key is not None:
                same = self.known[block.key]
                del same[block]
                if not same:
                    del self.known[block.key]

    def touch(self, blocks: Iterable[Block]) -> None:
        """One more request uses these blocks."""
        for block in blocks:
            if block.users == 0:
                del self.evictable[block]
                self.free -= 1
            block.users += 1

    def fill(self, key: Key) -> Block:
        """A handed out block is full: its content is known from now on."""
        block = Block(key)
        self.known.setdefault(key, {})[block] = None
        return block

    def give_back(self, known: Sequence[Block], unsought: int, blank: int) -> None:
        """A request ends or is preempted: the blocks of its end go first, so that its beginning is kept longest.

        ``unsought`` are full blocks behind the known ones that no request will look for.
        """
        self.blank += blank
        self.free += blank + unsought
        if unsought:
            self.evictable[Block(None, unsought, 0)] = None
        for block in reversed(known):
            block.users -= 1
            if block.users == 0:
                self.evictable[block] = None
                self.free += 1
