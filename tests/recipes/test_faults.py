"""Runs that are broken on purpose: the assertions notice, the guard ends what hangs, and nothing stays behind."""

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support import training
from tests.support import training_checks as checks

PATIENCE = "10"  # seconds; the guard's own default is 30
WITHIN = 60.0


@pytest.fixture(scope="module")
def prepared() -> Path:
    return training.prepare(training.scratch("faults"))


def test_a_sync_that_loads_nothing_is_noticed(prepared: Path) -> None:
    run = training.run(
        "grpo.sh",
        prepared,
        prepared / "no-sync",
        steps=2,
        more=training.KEEP_LAST,
        variables={"VERL_ON_CPU_FAULT": "no-sync"},
    )
    assert run.code == 0, f"verl itself notices nothing\n{run.tail()}"
    with pytest.raises(AssertionError, match="the engine holds other weights"):
        checks.assert_synced(run, 2)
    # Pearson and mean difference of the odds are verl's own signs of the same fault.
    with pytest.raises(AssertionError):
        checks.assert_trained(run, 2)


class Killer:
    """Ends one process of the run with SIGKILL when the first step is done, and remembers when."""

    def __init__(self, folder: Path, name: str) -> None:
        self.log, self.name, self.when = folder / "metrics.jsonl", name, 0.0

    def __call__(self, children: list[psutil.Process]) -> None:
        if self.when or not (self.log.is_file() and self.log.read_text()):
            return
        for process in children:
            if name_of(process).startswith(self.name):
                process.send_signal(signal.SIGKILL)
                self.when = time.monotonic()
                return


def name_of(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def ended(run: training.Run, reason: str) -> None:
    """The run ended by itself or by the guard, one line of the guard says why, and nothing is left."""
    assert run.code in (1, 3), f"exit code {run.code}\n{run.tail()}"
    (line,) = re.findall(r"guard: .*", run.output)
    assert re.search(reason, line), line
    assert not run.left, f"left behind: {run.left}"


@pytest.mark.parametrize("name", ["VLLM::Worker", "VLLM::EngineCor"])
def test_a_killed_engine_ends_the_run(prepared: Path, name: str) -> None:
    folder = prepared / name.removeprefix("VLLM::").lower()
    killer = Killer(folder, name)
    run = training.run(
        "grpo.sh", prepared, folder, steps=1000, meanwhile=killer, timeout=600, variables={"GUARD_PATIENCE": PATIENCE}
    )
    seconds = time.monotonic() - killer.when
    assert killer.when, f"no {name} was seen\n{run.tail()}"
    assert seconds < WITHIN, f"the run ended {seconds:.0f} s after the kill"
    assert run.code != 0 and not run.left, (run.code, run.left, run.tail())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise-in-sync:1", "run ended: a weight sync has not ended .* on purpose, in the sync"),
        ("raise-in-generate:1", "said: .* on purpose, in generation"),
    ],
)
def test_a_failing_worker_ends_the_run(prepared: Path, fault: str, reason: str) -> None:
    folder = prepared / fault.replace(":", "-")
    seen: list[float] = []

    def failed(children: list[psutil.Process]) -> None:
        log = folder / "watch.jsonl"
        if not seen and log.is_file() and '"fault"' in log.read_text():
            seen.append(time.monotonic())

    watcher: Callable[[list[psutil.Process]], None] = failed
    run = training.run(
        "grpo.sh",
        prepared,
        folder,
        steps=1000,
        meanwhile=watcher,
        timeout=600,
        variables={"GUARD_PATIENCE": PATIENCE, "VERL_ON_CPU_FAULT": fault},
    )
    seconds = time.monotonic() - seen[0]
    assert seconds < WITHIN, f"the run ended {seconds:.0f} s after the fault"
    ended(run, reason)
