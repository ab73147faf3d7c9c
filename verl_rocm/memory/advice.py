"""What a job should change about the memory of its rollout: arithmetic on what was weighed."""

from __future__ import annotations

import math

from .rollout import Weighed

CEILING = 0.9  # largest gpu_memory_utilization that is proposed: vLLM's own default for years, and no more is tested


def utilization(weighed: Weighed, cache: int) -> float | None:
    """The smallest ``gpu_memory_utilization``, in hundredths, with a KV cache of ``cache`` bytes; None above 0.9.

    Reckoned with the largest overhead of the sources, so that it holds in the worst of them.
    """
    if weighed.overhead is None or not weighed.total:
        return None
    bytes_in_all = weighed.weights.total + weighed.overhead.total.high + cache
    share = math.ceil(100 * bytes_in_all / weighed.total) / 100
    return share if share <= CEILING else None


def ranks(weighed: Weighed, present: int, gpus: int, cache: int) -> int | None:
    """The smallest number of ranks, doubled from ``present``, whose share holds weights and ``cache``; None if none.

    Weights are taken to split evenly; what a rank really holds, the next dry run tells.
    """
    if weighed.overhead is None:
        return None
    number = present * 2
    while number <= gpus:
        split = (weighed.weights.total + cache) * present // number
        if split + weighed.overhead.total.high <= weighed.share:
            return number
        number *= 2
    return None


def at_once(max_num_seqs: int, batch: int, samples: int, replicas: int) -> int:
    """Sequences that one engine can have to run at once: as many as the job sends it, at most ``max_num_seqs``."""
    return min(max_num_seqs, max(math.ceil(batch * samples / replicas), 1))
