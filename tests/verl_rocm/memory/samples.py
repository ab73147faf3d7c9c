"""A weighed engine, as the child writes it, on a GPU of 192 GiB."""

from __future__ import annotations

from verl_rocm.memory.rollout import GIB, Group, Holding, Lengths, Overhead, Range, Weighed, Weights

NOTHING = Range(low=0, middle=0, high=0)
BLOCK = 2**20  # bytes of a block of 16 tokens over all layers


def holding(budget: int, per_sequence: int = 64) -> Holding:
    """A cache of ``budget`` bytes, ``per_sequence`` blocks for the longest sequence."""
    blocks = budget // BLOCK
    held = blocks / per_sequence
    return Holding(budget=budget, blocks=blocks, tokens=int(held * 1024), longest=held, half_response=held * 4 / 3)


def weighed(weights: float = 14, share: float = 96, most: float = 8, least: float = 4, **changes: object) -> Weighed:
    """Sizes in GiB: weights, the engine's share, and what profiling adds at most and at least."""
    left = (share - weights - taken for taken in (most, (most + least) / 2, least))
    fields: dict[str, object] = {
        "lengths": Lengths(longest=1024, half_response=768),
        "weights": Weights(total=int(weights * GIB), by_dtype={"bfloat16": int(weights * GIB)}),
        "groups": (Group(kind="FullAttention", layers=28, block_size=16, page=BLOCK // 28),),
        "bytes_per_block": BLOCK,
        "bytes_per_sequence": 64 * BLOCK,
        "needed": 65 * BLOCK,
        "holdings": tuple(holding(max(int(size * GIB), 0)) for size in left),
        "share": int(share * GIB),
        "total": 192 * GIB,
        "utilization": share / 192,
        "overhead": Overhead(
            activation=Range(
                low=int(least * GIB), middle=int((most + least) / 2 * GIB), high=int(most * GIB), sources=("a",)
            ),
            non_torch=NOTHING,
            graphs=NOTHING,
        ),
    }
    return Weighed.model_validate(fields | changes)
