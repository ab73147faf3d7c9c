"""Run the sleep-mode checks on CPU engines whose behaviour is known; one JSON line a control.

    python -m tests.support.hostsleep.controls MODEL_DIRECTORY

An engine that sleeps, sound and with faults, and in verl's order; then one whose weights are out of reach.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.resident import OPTIONS, Resident
from verl_rocm.sleepcheck import check, sync
from verl_rocm.sleepcheck.judge import Run, judge, report

KV_CACHE_GIB = 1 / 16
CYCLES = 5


class Late(Resident):
    """The same counter, behind by a moment, as ROCm's may be."""

    def __init__(self) -> None:
        self.readings: list[tuple[float, tuple[int, ...]]] = []

    def used(self) -> tuple[int, ...]:
        now = time.monotonic()
        self.readings.append((now, super().used()))
        return next((used for at, used in reversed(self.readings) if now - at >= 0.4), self.readings[0][1])


def show(name: str, run: Run, start: float) -> Run:
    failures = judge(run)
    freed = run.cycles[0].awake[0] - run.cycles[0].asleep[0] if run.cycles else 0
    figures = {"freed": freed, "expected": run.expected, "cycles": len(run.cycles)}
    words = {"kinds": [failure.kind for failure in failures], "report": report(run, failures)}
    print(json.dumps({"control": name, **figures, **words, "seconds": round(time.monotonic() - start, 1)}), flush=True)
    return run


@contextmanager
def fault(*names: str) -> Iterator[None]:
    from tests.support.hostsleep import memory

    memory.faults = set(names)
    yield
    memory.faults = set()


class WorkerOnly:
    """The engine, but sleep and wake-up reach the workers alone, so that nobody resets the prefix cache."""

    def __init__(self, llm: Any) -> None:
        self.llm = llm

    def __getattr__(self, name: str) -> Any:
        return getattr(self.llm, name)

    def sleep(self, level: int) -> None:
        self.llm.collective_rpc("sleep", kwargs={"level": level})

    def wake_up(self) -> None:
        self.llm.collective_rpc("wake_up")


def main(model: str) -> None:
    start = time.monotonic()
    llm = build(model)
    expected, prompts, counter = check.bytes_to_free(llm, model), check.prompts_for(llm), Resident()

    def verify(counter: Resident, level: int, wake: check.Wake) -> Run:
        return check.verify(llm, [counter], expected, level=level, wake=wake, cycles=CYCLES, title="control")

    def once(name: str, engine: Any = llm, level: int = 1, patience: float = 0.5, counter: Resident = counter) -> None:
        start = time.monotonic()
        cycle = check.one_cycle(engine, [counter], expected, level, check.wake_level_1, prompts, patience)
        show(name, replace(sound, cycles=(cycle,)), start)

    sound = show("level 1, late counter", verify(Late(), 1, check.wake_level_1), start)
    once("late counter, no patience", patience=0.0, counter=Late())
    once("prefix cache kept", WorkerOnly(llm))
    llm.reset_prefix_cache()
    start = time.monotonic()
    show("level 2", verify(counter, 2, check.wake_level_2), start)
    once("level 2 without reload", level=2)
    llm.collective_rpc("reload_weights")
    start = time.monotonic()
    with fault("leak", "files"):
        show("leaks memory and files", verify(counter, 1, check.wake_level_1), start)
    with fault("corrupt"):
        once("corrupted weights")

    llm.collective_rpc("reload_weights")
    llm.reset_prefix_cache()
    actor = sync.Actor(Path(model))
    actor.train(0.0)  # reads the file, so that its memory is in the first reading
    for name, rate, cycles in (("verl's order", 0.0, CYCLES), ("verl's order, weights changed", 0.5, 1)):
        start = time.monotonic()
        wake = sync.wake_and_sync(actor, rate, bucket_mb=8)
        show(name, check.verify(llm, [counter], expected, level=2, wake=wake, cycles=cycles, title=name), start)

    start = time.monotonic()
    del llm
    gc.collect()
    os.environ["HOSTSLEEP_HIDE_WEIGHTS"] = "1"
    llm = build(model)
    show("weights out of reach", verify(counter, 1, check.wake_level_1), start)


def build(model: str) -> Any:
    return check.build_engine(model, kv_cache_gib=KV_CACHE_GIB, probe=sync.VerlProbe, **OPTIONS)


if __name__ == "__main__":
    os.environ["VERL_RAY_JOB_ID"] = str(os.getpid())
    main(sys.argv[1])
