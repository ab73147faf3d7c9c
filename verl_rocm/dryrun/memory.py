"""The memory of the rollout engine in a report: findings, and the rows of its section."""

from __future__ import annotations

from collections.abc import Iterator

from verl_rocm.facts.base import Facts
from verl_rocm.finding import Finding, Level, Remedy, site
from verl_rocm.memory import advice
from verl_rocm.memory.rollout import GIB, Holding, Weighed
from verl_rocm.paste import ROLLOUT, override
from verl_rocm.worker.wire import Resolution

PAGE = "reference/dry-run-report"
ALONE = "For the rollout alone; what training needs of the same GPU is not in this figure."
TITLE = "memory of the rollout on one GPU; nothing was measured"


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"


def _between(low: float, high: float, form: str = ",.0f") -> str:
    return f"{low:{form}} to {high:{form}}" if f"{low:{form}}" != f"{high:{form}}" else f"{low:{form}}"


def _setting(job: Resolution, name: str, otherwise: int) -> int:
    value = job.config.get(name)
    return value if isinstance(value, int) else otherwise


def at_once(job: Resolution) -> int:
    """Sequences that one engine of the job can have to run at once."""
    most = job.resolved.get("max_num_seqs")
    batch = _setting(job, "data.train_batch_size", 0)
    limit = most if isinstance(most, int) else 1
    if not batch:
        return limit
    samples = _setting(job, f"{ROLLOUT}.n", 1)
    return advice.at_once(limit, batch, samples, job.sizes.replicas)


def _way(text: str, *lines: str) -> Remedy:
    return Remedy(text=text, lines=lines)


def _more_memory(facts: Facts, weighed: Weighed, cache: int) -> Iterator[Remedy]:
    if share := advice.utilization(weighed, cache):
        yield _way(ALONE, override(facts, f"{ROLLOUT}.gpu_memory_utilization", share))


def _more_ranks(facts: Facts, job: Resolution, weighed: Weighed, cache: int) -> Iterator[Remedy]:
    present = job.resolved.get("tensor_parallel_size")
    gpus = job.sizes.gpus_per_node * job.sizes.nodes
    if isinstance(present, int) and (number := advice.ranks(weighed, present, gpus, cache)):
        yield _way("", override(facts, f"{ROLLOUT}.tensor_model_parallel_size", number))


def _starts(facts: Facts, job: Resolution, weighed: Weighed) -> Iterator[Finding]:
    """The engine does not start: its share has no room for the weights, or none for one sequence."""
    best = weighed.holdings[-1]
    if best.blocks:
        return
    if not best.budget:
        title = f"the weights do not fit: {_gib(weighed.weights.total)} a GPU, and the engine's share is "
        title += f"{_gib(weighed.share)} (gpu_memory_utilization={weighed.utilization:g}) with what profiling adds"
        name = "weights-do-not-fit"
        shorter: list[Remedy] = []
    else:
        longest = weighed.lengths.longest
        title = f"vLLM does not start: one sequence of its maximum length needs {_gib(weighed.needed)} of KV cache, "
        title += f"and at most {_gib(best.budget)} is left"
        name = "kv-cache-too-small"
        fits = weighed.bytes_per_sequence + weighed.bytes_per_block <= weighed.holdings[0].budget
        line = override(facts, f"{ROLLOUT}.max_model_len", longest)
        shorter = [_way("The job's own sequences are no longer than that.", line)] if fits else []
    cache = max(weighed.needed, 0)
    ways = (*shorter, *_more_memory(facts, weighed, cache), *_more_ranks(facts, job, weighed, cache))
    if not ways:
        ways = (_way("No share of this GPU and no split over these GPUs holds it: take more GPUs, or a larger one."),)
    yield Finding(id=name, title=title, remedies=ways, url=site(PAGE, name))


def _preempts(facts: Facts, job: Resolution, weighed: Weighed) -> Iterator[Finding]:
    """The KV cache holds fewer sequences than the job has at once: for certain, or if all of them grow long."""
    worst, _, best = weighed.holdings
    demand, tokens = at_once(job), weighed.lengths.longest
    if not best.blocks or worst.longest >= demand:
        return
    held = _between(int(worst.longest), int(best.longest))
    level: Level = "finding" if best.half_response < demand else "note"
    condition = "" if level == "finding" else "if all grow that long, "
    title = f"the KV cache holds {held} sequences of {tokens} tokens, and the engine runs up to {demand} at once: "
    title += f"{condition}vLLM preempts sequences and computes them again"
    fewer = int(worst.longest)
    cache = weighed.bytes_per_sequence * demand + weighed.bytes_per_block
    ways = [*_more_memory(facts, weighed, cache)]
    if fewer:
        ways.append(_way("", override(facts, f"{ROLLOUT}.max_num_seqs", fewer)))
    name = "kv-cache-preempts"
    yield Finding(id=name, level=level, title=title, remedies=tuple(ways), url=site(PAGE, name))


def find(facts: Facts, job: Resolution) -> Iterator[Finding]:
    """What a user should know of the rollout's memory."""
    weighed = job.memory
    if not isinstance(weighed, Weighed):
        return
    if len(weighed.holdings) == 3:
        yield from _starts(facts, job, weighed)
        yield from _preempts(facts, job, weighed)


def _reservation(job: Resolution) -> str:
    """What a bundled config leaves out and a checkpoint may have."""
    if not job.model.source.startswith("bundled"):
        return ""
    sees = job.model.architecture.endswith("ForConditionalGeneration")
    return ", by the bundled config: unquantised" + (", with a vision tower of default size" if sees else "")


def rows(job: Resolution) -> list[tuple[str, str]]:
    """The rows of the section ``memory``; one line where the engine was not weighed."""
    weighed = job.memory
    if not isinstance(weighed, Weighed):
        return [("not weighed", weighed.reason)]
    lines = [("weights", f"{weighed.weights.total / GIB:.2f} GiB{_reservation(job)}")]
    if weighed.overhead is None or len(weighed.holdings) != 3:
        return lines
    taken, (worst, _, best) = weighed.overhead.total, weighed.holdings
    size = f"{_gib(weighed.share)} of {_gib(weighed.total)}, gpu_memory_utilization {weighed.utilization:g}"
    logs = f"{len(taken.sources)} published logs, none from an AMD GPU"
    return [
        ("share", size),
        *lines,
        ("profiling", f"{_between(taken.low / GIB, taken.high / GIB, '.1f')} GiB, an estimate from {logs}"),
        ("KV cache", _cache(weighed, worst, best)),
        ("sequences", _sequences(weighed, worst, best, at_once(job))),
    ]


def _cache(weighed: Weighed, worst: Holding, best: Holding) -> str:
    size = _between(worst.budget / GIB, best.budget / GIB, ".1f")
    each = weighed.bytes_per_sequence / weighed.lengths.longest / 1024
    return f"{size} GiB: {_between(worst.tokens, best.tokens)} tokens, {each:.1f} KiB a token"


def _sequences(weighed: Weighed, worst: Holding, best: Holding, demand: int) -> str:
    lengths = weighed.lengths
    longest = f"{_between(int(worst.longest), int(best.longest))} of {lengths.longest} tokens"
    half = (
        f"{_between(int(worst.half_response), int(best.half_response))} of {lengths.half_response} (half the response)"
    )
    return f"{longest}, {half}; the engine runs up to {demand} at once"
