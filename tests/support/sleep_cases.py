"""What the sleep-mode judge must say, as data: logs replayed from public threads, and cases at its limits.

A thread gives some figures of a run, never all. `quoted` is what it says; `assumed` is what was filled in.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from verl_rocm.sleepcheck.judge import GIB, MIB, Answer, Cycle, Run

GOOD = (
    Answer("short", " a city", (5, 6, 7), (-0.5, -1.0, -0.25)),
    Answer("long", " and so on", (8, 9, 10), (-0.125, -2.0, -0.75)),
)
VERSIONS = {"vllm": "0.24.0", "rocm": "7.2.0", "arch": "gfx942"}  # of the replayed runs on MI300X
REST = "the memory came back, the answers stayed the same, and five equal cycles"


@dataclass(frozen=True)
class Case:
    name: str
    kinds: tuple[str, ...]  # of the failures, each kind once; empty: the run must pass
    run: Run
    source: str = ""
    quoted: str = ""


def change(answers: tuple[Answer, ...], prompt: str, **fields: Any) -> tuple[Answer, ...]:
    return tuple(answer._replace(**fields) if prompt in (answer.prompt, "all") else answer for answer in answers)


def sound(expected: float, asleep: float, gpus: int = 1, freed: float | None = None, cycles: int = 5) -> Run:
    """A run of equal cycles; figures in GiB. All that it freed comes back."""
    more = tuple([round((asleep + (expected if freed is None else freed)) * GIB)] * gpus)
    cycle = Cycle(more, tuple([round(asleep * GIB)] * gpus), more, GOOD, open_files=100)
    return Run("case", "test", round(expected * GIB), GOOD, GOOD, (cycle,) * cycles)


def logged(freed: list[float], in_use: list[float], expected: float, thread: str) -> Run:
    """A run as vLLM's line tells it: "Sleep mode freed X GiB memory, Y GiB memory is still in use."."""
    asleep = tuple(round(gib * GIB) for gib in in_use)
    awake = tuple(round((f + u) * GIB) for f, u in zip(freed, in_use, strict=True))
    cycle = Cycle(awake, asleep, awake, GOOD, open_files=100)
    note = f"assumed, not in the thread: {REST}"
    return Run(
        f"replayed from {thread}", "vLLM's own log line", round(expected * GIB), GOOD, GOOD, (cycle,) * 5, (note,)
    )


def growing(run: Run, memory: float = 0.0, files: int = 0, every: int = 1, gpu: int | None = None) -> Run:
    """`memory` bytes more in use, and `files` more open files, after every `every` cycles; on one GPU or on all."""

    def more(reading: tuple[int, ...], times: int) -> tuple[int, ...]:
        return tuple(round(used + times * memory * (gpu in (None, at))) for at, used in enumerate(reading))

    cycles = [
        Cycle(
            more(cycle.awake, times),
            more(cycle.asleep, times),
            more(cycle.woken, times),
            cycle.answers,
            cycle.open_files + times * files,
        )
        for times, cycle in ((number // every, cycle) for number, cycle in enumerate(run.cycles))
    ]
    return replace(run, cycles=tuple(cycles))


def edit(run: Run, number: int, **fields: Any) -> Run:
    cycles = list(run.cycles)
    cycles[number] = replace(cycles[number], **fields)
    return replace(run, cycles=tuple(cycles))


BASE = sound(expected=10, asleep=2)
EIGHT = sound(expected=10, asleep=2, cycles=8)


def other_answer(number: int, prompt: str, **fields: Any) -> Run:
    """A sound run, except for the answer in one cycle."""
    return edit(BASE, number, answers=change(GOOD, prompt, **fields))


VLLM = "https://github.com/vllm-project/vllm"

REPLAYED = (
    Case(
        "MI300X, ROCm 7.2, before PR 46203",
        ("not freed",),
        logged([2.03], [178.23], 176.16, "vLLM PR 43022, MI300X, ROCm 7.2, level 2"),
        f"{VLLM}/pull/46203",
        "Sleep mode freed 2.03 GiB memory, 178.23 GiB memory is still in use",
    ),
    Case(
        "MI300X, ROCm 7.2, with PR 46203",
        (),
        logged([176.16], [3.94], 176.16, "vLLM PR 46203, MI300X, ROCm 7.2, level 2"),
        f"{VLLM}/pull/46203",
        "Sleep mode freed 176.16 GiB memory, 3.94 GiB memory is still in use",
    ),
    Case(
        "ROCm 6.4, five GPUs",
        ("not freed",),
        logged([1.26] * 5, [75.71, 75.67, 75.69, 75.67, 75.72], 68.65, "vLLM PR 12695, ROCm 6.4"),
        f"{VLLM}/pull/12695",
        "Sleep mode freed 1.26 GiB memory, 75.71 GiB memory is still in use",
    ),
    Case(
        "ROCm 6.3.4, five GPUs",
        (),
        logged([68.76, 68.65, 68.76, 68.76, 68.65], [8.23, 8.34, 8.26, 8.24, 8.37], 68.65, "vLLM PR 12695, ROCm 6.3.4"),
        f"{VLLM}/pull/12695",
        "Sleep mode freed 68.76 GiB memory, 8.23 GiB memory is still in use",
    ),
    Case(
        "expandable segments",
        ("not freed",),
        logged([0.0], [63.15], 63.15, "vLLM PR 11743, CUDA, expandable segments"),
        f"{VLLM}/pull/11743",
        "Sleep mode freed 0.00 GiB memory, 63.15 GiB memory is still in use",
    ),
    Case(
        "CUDA, Qwen3-4B",
        (),
        logged([35.43], [1.19], 34.06, "vLLM issue 28714, CUDA"),
        f"{VLLM}/issues/28714",
        "sleep freed 34.06 GiB memory in total; freed 35.43 GiB, 1.19 GiB still in use",
    ),
    Case(
        "vLLM 0.14 on four GPUs",
        ("partly freed",),
        logged([6.0] * 4, [16.0] * 4, 20.0, "vLLM issue 32714, CUDA"),
        f"{VLLM}/issues/32714",
        "16Gb used on each GPU, ~6GB freed; 0.13 freed 20Gb+",
    ),
    Case(
        "verl, one of eight data-parallel shards slept",
        ("not freed",),
        logged([37.25] + [0.0] * 7, [2.0] + [39.25] * 7, 37.25, "verl PR 6456, H100"),
        "https://github.com/verl-project/verl/pull/6456",
        "the other DP shards' model weights (~40GB) remain allocated",
    ),
    Case(
        "IPC leak, 6 GB a step",
        ("memory grows",),
        growing(sound(expected=60, asleep=20, cycles=8), memory=6e9),
        "https://github.com/radixark/miles/pull/1707",
        "the low-water mark creeps up ~6-7 GB per step",
    ),
    Case(
        "a bucket lost at every sync",
        ("memory grows",),
        growing(sound(expected=60, asleep=20), memory=2.04 * GIB),
        "https://github.com/verl-project/verl/pull/6958",
        "+2.04 GiB/sync VRAM staircase",
    ),
    Case(
        "hybrid model, all tokens 0",
        ("text changed",),
        other_answer(0, "all", text="!!!", tokens=(0, 0, 0)),
        f"{VLLM}/pull/44972",
        "argmax collapses every token to id 0 (!)",
    ),
    Case(
        "level 2, memory back, text wrong",
        ("text changed",),
        other_answer(1, "all", text="gibberish"),
        f"{VLLM}/issues/29341",
        "sleep level 2 causes gibberish outputs",
    ),
    Case(
        "stale prefix cache",
        ("long text changed",),
        other_answer(0, "long", tokens=(8, 9, 11)),
        f"{VLLM}/issues/17103",
        "sleep then wake_up produces meaningless outputs; it seems related to prefix caching",
    ),
    Case(
        "invalid argument at wake-up",
        ("raised",),
        replace(BASE, cycles=(), broke="RuntimeError: invalid argument"),
        f"{VLLM}/pull/40686",
        "invalid argument error during wake_up for the Qwen3.5 model with TP=2",
    ),
)

LIMITS = (
    Case("all of it", (), BASE),
    Case("93 % freed: blocks are rounded", (), sound(expected=10, asleep=2, freed=9.3)),
    Case("88 % freed", ("partly freed",), sound(expected=10, asleep=2, freed=8.8)),
    Case("a quarter freed", ("partly freed",), sound(expected=10, asleep=2, freed=2.5)),
    Case("a tenth freed", ("not freed",), sound(expected=10, asleep=2, freed=1.0)),
    Case("last GPU not freed", ("not freed",), edit(sound(10, 2, gpus=2), 0, asleep=(2 * GIB, 12 * GIB))),
    Case("88 % came back", ("not back",), edit(BASE, 2, woken=(round(10.8 * GIB),))),
    Case("93 % came back", (), edit(BASE, 2, woken=(round(11.3 * GIB),))),
    Case("15 % more than before", ("more after",), edit(BASE, 3, woken=(round(13.5 * GIB),))),
    Case("5 % more than before", (), edit(BASE, 3, woken=(round(12.5 * GIB),))),
    Case("same tokens, other text", ("text changed",), other_answer(3, "short", text=" a town")),
    Case("same text, other tokens", ("text changed",), other_answer(3, "short", tokens=(5, 6, 8))),
    Case("log-probabilities 0.05 off", ("logprobs changed",), other_answer(3, "long", logprobs=(-0.125, -2.05, -0.75))),
    Case("log-probabilities 0.01 off", (), other_answer(3, "long", logprobs=(-0.125, -2.01, -0.75))),
    Case("NaN", ("logprobs changed",), other_answer(0, "short", logprobs=(-0.5, math.nan, -0.25))),
    Case("not like itself", ("not repeatable",), replace(BASE, repeated=change(GOOD, "short", tokens=(1, 2, 3)))),
    Case("6 MiB a cycle", ("memory grows",), growing(EIGHT, memory=6 * MIB)),
    Case("3 MiB a cycle", (), growing(EIGHT, memory=3 * MIB)),
    Case("second GPU grows", ("memory grows",), growing(sound(10, 2, gpus=2), memory=9 * MIB, gpu=1)),
    Case("grows in every second cycle", ("memory grows",), growing(sound(10, 2, cycles=20), memory=16 * MIB, every=2)),
    Case("a jump in the first cycle", (), edit(EIGHT, 0, asleep=(2 * GIB - 500 * MIB,))),
    Case("one jump later on", (), growing(EIGHT, memory=90 * MIB, every=4)),
    Case("one drop later on", (), growing(EIGHT, memory=-90 * MIB, every=4)),
    Case("two jumps in twenty cycles", (), growing(sound(10, 2, cycles=20), memory=10 * MIB, every=9)),
    Case("6 MiB a cycle, one low", ("memory grows",), edit(growing(EIGHT, 6 * MIB), 4, asleep=(2 * GIB - 90 * MIB,))),
    Case("one high reading", (), edit(EIGHT, 4, asleep=(2 * GIB + 90 * MIB,))),
    Case("a file a cycle", ("files grow",), growing(BASE, files=1)),
    Case("a file every second cycle", ("files grow",), growing(sound(10, 2, cycles=20), files=1, every=2)),
    Case("a file every sixth cycle", (), growing(sound(10, 2, cycles=20), files=1, every=6)),
    Case("four cycles", ("too few cycles",), sound(expected=10, asleep=2, cycles=4)),
    Case("no cycle", ("too few cycles",), sound(expected=10, asleep=2, cycles=0)),
    Case("broke after a good cycle", ("raised",), replace(sound(10, 2, cycles=1), broke="HIP out of memory")),
)
