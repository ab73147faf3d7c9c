"""Engines whose behaviour is known, judged by the sleep-mode check: one that sleeps, and the same with faults.

They run vLLM's CPU engine with ``tests/support/hostsleep``, in processes of their own. They prove the checker.
They are no evidence that sleep mode works on a GPU, so they claim no block as run.
"""

import json
import os
import sys
from pathlib import Path
from typing import TypedDict

import pytest

from guide.doctest import processes
from tests.support import hostsleep

ROOT = Path(__file__).parents[4]


class Control(TypedDict):
    """A line of ``tests.support.hostsleep.controls``; sizes in bytes."""

    control: str
    kinds: list[str]
    cycles: int
    expected: int
    freed: int
    report: str


pytestmark = pytest.mark.accelerator("cpu")


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Control]:
    """All controls, run once in one process, to which alone the plugin is announced."""
    from guide.doctest.tiny_model import make_tiny_qwen2

    model = make_tiny_qwen2(tmp_path_factory.mktemp("controls") / "model", hidden=512, layers=6)
    packages = tmp_path_factory.mktemp("packages")
    hostsleep.write_entry_points(packages)
    env = {name: value for name, value in os.environ.items() if name != "VLLM_CPU_KVCACHE_SPACE"} | {
        "PYTHONPATH": os.pathsep.join(str(part) for part in (packages, ROOT)),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VERL_PLATFORM": "cpu",
        "VERL_USE_EXTERNAL_MODULES": "tests.support.verl_on_cpu.platform",
        # One thread: on shared cores, two that wait for each other are slower than one.
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        # Memory that is freed leaves the process at once, so that resident memory counts like a device's.
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "MALLOC_TRIM_THRESHOLD_": "65536",
    }
    command = [sys.executable, "-m", "tests.support.hostsleep.controls", str(model)]
    done = processes.run(command, timeout=500, env=env, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:]
    shown: list[Control] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"control"')]
    return {control["control"]: control for control in shown}


@pytest.mark.parametrize("name", ["level 1, late counter", "level 2"])
def test_an_engine_that_really_sleeps_passes(controls: dict[str, Control], name: str) -> None:
    control = controls[name]
    assert control["kinds"] == []
    assert control["cycles"] == 5
    assert 0.95 * control["expected"] < control["freed"] < 1.05 * control["expected"]
    assert control["expected"] > 80 * 2**20


@pytest.mark.parametrize(
    ("name", "kinds", "advice"),
    [
        ("late counter, no patience", ["not freed"], "sleep-leaves-vram-full"),
        ("prefix cache kept", ["long text changed"], "the prefix cache was not reset"),
        ("level 2 without reload", ["text changed"], "level-2-wake-without-weights"),
        ("leaks memory and files", ["memory grows", "files grow"], "HSA_ENABLE_IPC_MODE_LEGACY=1"),
        ("corrupted weights", ["text changed"], "moe-stale-weights-after-sync"),
        ("weights out of reach", ["partly freed"], "outside the sleep allocator"),
    ],
)
def test_the_same_engine_with_a_fault_fails_for_that_fault(
    controls: dict[str, Control], name: str, kinds: list[str], advice: str
) -> None:
    assert controls[name]["kinds"] == kinds
    assert advice in " ".join(controls[name]["report"].split())


def test_the_half_that_sleeps_is_not_taken_for_the_whole(controls: dict[str, Control]) -> None:
    control = controls["weights out of reach"]
    assert 0.5 * control["expected"] < control["freed"] < 0.9 * control["expected"]


def test_a_sync_of_unchanged_weights_changes_nothing(controls: dict[str, Control]) -> None:
    control = controls["verl's order"]
    assert control["kinds"] == []
    assert control["cycles"] == 5
    assert 0.95 * control["expected"] < control["freed"] < 1.05 * control["expected"]


def test_a_sync_of_other_weights_is_seen(controls: dict[str, Control]) -> None:
    assert controls["verl's order, weights changed"]["kinds"] == ["text changed"]


def test_no_control_is_shown_as_a_run_of_sleep_mode(controls: dict[str, Control]) -> None:
    assert all("resident memory" in control["report"].splitlines()[1] for control in controls.values())
