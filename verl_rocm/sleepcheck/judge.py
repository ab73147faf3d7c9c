"""The verdict of a sleep check: what was measured, what it means, and which known issue looks like it.

It needs neither a GPU nor vLLM: :mod:`.check` measures, this module judges.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from verl_rocm.cures import RANK
from verl_rocm.facts.base import Facts
from verl_rocm.facts.load import load
from verl_rocm.facts.schema import Issue, SleepFailure
from verl_rocm.finding import remedy
from verl_rocm.paste import Target

GIB = 2**30
MIB = 2**20
Reading = tuple[int, ...]  # bytes in use on each GPU of the engine, by all processes


class Answer(NamedTuple):
    """One greedy answer: the prompt's name ("short" or "long"), its text, token ids and log-probabilities."""

    prompt: str
    text: str
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]


@dataclass(frozen=True)
class Cycle:
    """One sleep and wake-up. `beside` keeps (awake, asleep, woken) of counters that are printed, not judged."""

    awake: Reading
    asleep: Reading
    woken: Reading
    answers: tuple[Answer, ...]
    open_files: int
    beside: dict[str, tuple[Reading, Reading, Reading]] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """All that the judge sees. `expected` is weights + KV cache on one GPU, in bytes."""

    title: str
    counter: str
    expected: int
    reference: tuple[Answer, ...]
    repeated: tuple[Answer, ...]  # the same prompts again, still awake: does the engine repeat itself at all?
    cycles: tuple[Cycle, ...] = ()
    notes: tuple[str, ...] = ()
    broke: str = ""  # the exception that ended the run


class Failure(NamedTuple):
    """One reason why a run shows no working sleep mode: its kind, and what was seen."""

    kind: SleepFailure
    what: str


FREED = 0.9  # share of weights + KV cache that must leave every GPU, and come back
SOME = 0.2  # below this share the allocator freed nothing of note; above it, a part is hidden from it
EXTRA = 0.1  # share that may be in use after wake-up beyond what was in use before
LOGPROB = 0.02  # natural logarithm; the rounding of one bfloat16 logit is of this size
LEAK_BYTES = 4 * MIB  # growth per cycle of the memory in use asleep
LEAK_FILES = 0.25  # growth per cycle of open file descriptors
CYCLES = 5  # fewer say nothing about growth: the first one is a warm-up
AT_THE_END = ("memory grows", "files grow", "too few cycles")  # kinds that only a whole run can show
# What a kind of failure means beside the known issues that look like it.
HINTS: dict[SleepFailure, str] = {
    "partly freed": "part of the weights lies outside the sleep allocator: compare what is missing with their size",
    "not back": "a tag stayed asleep, or another process took the memory: wake both tags, and use a GPU of its own",
    "more after": "another process took memory on this GPU, or the wake-up allocated a second copy: run it alone",
    "long text changed": "the prefix cache was not reset: use the engine's own sleep(), or reset_prefix_cache()",
    "logprobs changed": "weights came back slightly wrong: compare enforce_eager=True and VLLM_ROCM_USE_AITER=0",
    "not repeatable": "greedy answers differ without any sleep: give it the GPU, eager mode, no speculative decoding",
    "files grow": "descriptors of device memory are not given back: compare another ROCm release, raise ulimit -n",
}


def judge(run: Run) -> list[Failure]:
    """Every reason why this run does not show a working sleep mode; empty means that it does."""
    failures = []
    if unlike := difference(run.reference, run.repeated):
        failures.append(Failure("not repeatable", f"awake and before any sleep, {unlike[1]}"))
    for number, cycle in enumerate(run.cycles, start=1):
        for gpu, (awake, asleep, woken) in enumerate(zip(cycle.awake, cycle.asleep, cycle.woken, strict=True)):
            where, freed = f"cycle {number}, GPU {gpu}", awake - asleep
            if freed <= FREED * run.expected:
                kind: SleepFailure = "partly freed" if freed > SOME * run.expected else "not freed"
                failures.append(
                    Failure(
                        kind,
                        f"{where}: freed {gib(freed)} of {gib(run.expected)}, {gib(asleep)} still in use",
                    )
                )
            elif woken - asleep <= FREED * run.expected:
                failures.append(Failure("not back", f"{where}: {gib(woken - asleep)} of {gib(run.expected)} came back"))
            if woken - awake > EXTRA * run.expected:
                failures.append(Failure("more after", f"{where}: {gib(woken - awake)} more in use than before sleep"))
        if unlike := difference(run.reference, cycle.answers):
            failures.append(Failure(unlike[0], f"cycle {number}: {unlike[1]}"))
    for gpu in range(len(run.cycles[0].asleep) if run.cycles else 0):
        if (growth := per_cycle([cycle.asleep[gpu] for cycle in run.cycles])) > LEAK_BYTES:
            failures.append(Failure("memory grows", f"GPU {gpu}: {growth / MIB:+.1f} MiB a cycle while asleep"))
    if (growth := per_cycle([cycle.open_files for cycle in run.cycles])) >= LEAK_FILES:
        failures.append(Failure("files grow", f"{growth:+.1f} open file descriptors a cycle"))
    if run.broke:
        failures.append(Failure("raised", f"cycle {len(run.cycles) + 1}: {run.broke}"))
    if len(run.cycles) < CYCLES and not failures:
        failures.append(Failure("too few cycles", f"{len(run.cycles)} cycles show no leak; take {CYCLES} or more"))
    return failures


def difference(before: tuple[Answer, ...], after: tuple[Answer, ...]) -> tuple[SleepFailure, str] | None:
    """The kind of difference between two rounds of answers, and a sentence about it; None if there is none."""
    pairs = list(zip(before, after, strict=True))
    changed = [new for old, new in pairs if (old.text, old.tokens) != (new.text, new.tokens)]
    if changed and len(changed) < len(pairs) and all(answer.prompt == "long" for answer in changed):
        return "long text changed", f"the answer to the long prompt changed, to {changed[0].text[:40]!r}"
    if changed:
        return (
            "text changed",
            f"the answer to the {changed[0].prompt} prompt changed, to {changed[0].text[:40]!r}",
        )
    for old, new in pairs:
        for position, (one, other) in enumerate(zip(old.logprobs, new.logprobs, strict=True)):
            if not abs(one - other) <= LOGPROB:  # written so that NaN counts as a difference
                return (
                    "logprobs changed",
                    f"{old.prompt} prompt, token {position}: {one:.4f} became {other:.4f}",
                )
    return None


def per_cycle(series: list[int]) -> float:
    """Mean step from cycle to cycle, without the largest and the smallest: a leak shows, a single jump does not."""
    if len(series) < CYCLES:
        return 0.0
    steps = sorted(after - before for before, after in pairwise(series[1:]))[1:-1]
    return sum(steps) / len(steps)


def looks_like(kind: SleepFailure, installed: Mapping[str, str | None], facts: Facts) -> list[Issue]:
    """Known issues of these versions that fail in this way: the surest first, those a version decides last."""
    alike = [issue for issue in facts.issues.values() if kind in issue.sleep_failures]
    affects = {issue.id: issue.affects(installed) for issue in alike}
    return sorted(
        (issue for issue in alike if affects[issue.id] is not False),
        key=lambda issue: (affects[issue.id] is None, RANK[issue.confidence]),
    )


def report(run: Run, failures: list[Failure], installed: Mapping[str, str | None] | None = None) -> str:
    """The verdict as text for a person: figures first, then each failure with the issues that look like it.

    ``installed`` narrows them: versions by component, and ``arch``.
    """
    lines = [run.title, f"{len(run.cycles)} cycles, counter: {run.counter}"]
    if run.cycles:
        first, last = run.cycles[0], run.cycles[-1]
        for gpu in range(len(first.awake)):
            lines += figures(f"GPU {gpu}: {gib(run.expected)} expected, ", first.awake, first.asleep, first.woken, gpu)
            for name, readings in first.beside.items():
                lines += figures(f"  by {name}: ", *readings, gpu)
        lines.append(f"asleep, first and last cycle: {gib(sum(first.asleep))}, {gib(sum(last.asleep))}")
        lines.append(f"open file descriptors, first and last cycle: {first.open_files}, {last.open_files}")
    lines += [fill(f"note: {note}") for note in run.notes]
    for kind in dict.fromkeys(failure.kind for failure in failures):
        same = [failure.what for failure in failures if failure.kind == kind]
        lines.append(fill(f"FAIL {kind}: {same[0]}" + (f" (and {len(same) - 1} more)" if len(same) > 1 else "")))
        for issue in looks_like(kind, installed or {}, load()):
            lines.append(fill(f"  looks like: {issue.title} [{issue.id}, {issue.confidence}]"))
            for fix in issue.fixes:
                way = remedy(load(), fix, Target.SHELL)
                lines += [fill(f"    do: {way.sentence()}"), *(f"      {line}" for line in way.lines)]
        if hint := HINTS.get(kind):
            lines.append(fill(f"  it means: {hint}"))
    lines.append("FAIL" if failures else "PASS: memory left every GPU and came back, and the answers are the same")
    return "\n".join(lines)


def figures(head: str, awake: Reading, asleep: Reading, woken: Reading, gpu: int) -> list[str]:
    """The lines of one GPU by one counter."""
    return [
        f"{head}{gib(awake[gpu] - asleep[gpu])} freed, {gib(asleep[gpu])} still in use",
        f"  {gib(awake[gpu])} before sleep, {gib(woken[gpu])} after wake-up",
    ]


def fill(text: str) -> str:
    """Text folded for a terminal."""
    return textwrap.fill(text, 78, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False)


def gib(value: int) -> str:
    """Bytes as ``1.25 GiB``."""
    return f"{round(value / GIB, 2) + 0.0:.2f} GiB"  # + 0.0: no minus sign before zero
