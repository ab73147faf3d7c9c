"""KV cache blocks as vLLM's block pool counts, shares and evicts them (``vllm/v1/core/block_pool.py``, 0.30.0).

Blocks that hold nothing reusable are handed out first, so a number is enough for them; freed blocks of known content
wait behind them in the order of their eviction.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

Key = tuple[str, int, int]  # whose content ("prompt" or "request"), its number, index of the block


class Block:
    """One block of known content."""

    __slots__ = ("key", "users")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.users = 1


class BlockPool:
    """The free blocks of one engine; ``caching`` as vLLM's ``enable_prefix_caching``."""

    def __init__(self, blocks: int, caching: bool) -> None:
        self.blank = blocks - 1  # vLLM keeps one null block
        self.caching = caching
        self.evictable: OrderedDict[Block, None] = OrderedDict()
        self.known: dict[Key, dict[Block, None]] = {}

    @property
    def free(self) -> int:
        """Blocks that can be handed out."""
        return self.blank + len(self.evictable)

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
        lost = number - self.blank
        self.blank -= min(number, self.blank)
        for _ in range(max(lost, 0)):
            block, _none = self.evictable.popitem(last=False)
            same = self.known[block.key]
            del same[block]
            if not same:
                del self.known[block.key]

    def touch(self, blocks: Iterable[Block]) -> None:
        """One more request uses these blocks."""
        for block in blocks:
            if block.users == 0:
                del self.evictable[block]
            block.users += 1

    def fill(self, key: Key) -> Block:
        """A handed out block is full: its content is known from now on."""
        block = Block(key)
        self.known.setdefault(key, {})[block] = None
        return block

    def give_back(self, blocks: Iterable[Block], blank: int) -> None:
        """A request ends: its blank blocks, and its known blocks from the last to the first."""
        self.blank += blank
        for block in blocks:
            block.users -= 1
            if block.users == 0:
                self.evictable[block] = None
