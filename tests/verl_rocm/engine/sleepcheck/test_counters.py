"""The counters of the sleep-mode check: amdsmi's answers, which GPUs they belong to, open files, elapsed time."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.support.sleep_fakes import MIB, fake_amdsmi
from verl_rocm.sleepcheck import counters as page

USED = [1000, 2000, 3000, 4000]
VARIABLES = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


@pytest.fixture(autouse=True)
def no_choice_of_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("gpus", "hip_ids", "environment", "expected"),
    [
        (1, None, {}, [1000]),
        (4, None, {}, [1000, 2000, 3000, 4000]),
        (2, None, {"HIP_VISIBLE_DEVICES": "2,3"}, [3000, 4000]),
        (2, None, {"CUDA_VISIBLE_DEVICES": "3,1"}, [4000, 2000]),
        (1, None, {"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "1"}, [2000]),
        (1, [3, 2, 1, 0], {}, [4000]),
        (2, [3, 2, 1, 0], {"HIP_VISIBLE_DEVICES": "0,2"}, [4000, 2000]),
        (1, ["N/A"] * 4, {"HIP_VISIBLE_DEVICES": "2"}, [3000]),
    ],
)
def test_memory_in_use_is_read_of_the_gpus_that_the_engine_uses(
    monkeypatch: pytest.MonkeyPatch, gpus: int, hip_ids: Any, environment: dict[str, str], expected: list[int]
) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", fake_amdsmi(USED, hip_ids))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    counter = page.AmdSmi(gpus)
    assert counter.used() == tuple(mib * MIB for mib in expected)
    assert counter.free() == tuple((196608 - mib) * MIB for mib in expected)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ROCR_VISIBLE_DEVICES": "1"}, "unset it and choose with HIP_VISIBLE_DEVICES"),
        ({"HIP_VISIBLE_DEVICES": "GPU-0a1b"}, "HIP_VISIBLE_DEVICES=GPU-0a1b names GPUs by id: use their numbers"),
        (
            {"CUDA_VISIBLE_DEVICES": "0,7"},
            "CUDA_VISIBLE_DEVICES=0,7 names a GPU that amdsmi does not list (it lists 4)",
        ),
    ],
)
def test_a_choice_of_gpus_that_cannot_be_followed_stops(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], says: str
) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", fake_amdsmi(USED, None))
    monkeypatch.setattr(torch.version, "hip", "7.2.53211")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(page.Stop) as stop:
        page.amd_counter(1)
    assert says in str(stop.value)
    assert "\n" not in str(stop.value)


def test_without_amdsmi_the_reader_is_told_what_is_judged_instead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.version, "hip", "7.2.53211")
    (tmp_path / "amdsmi.py").write_text("{}['libamd_smi.so']\n")  # how amdsmi 7.0.2 fails without its library
    monkeypatch.setitem(sys.modules, "amdsmi", None)
    counter, (note,) = page.amd_counter(1)
    assert counter is None
    assert "ModuleNotFoundError" in note
    monkeypatch.delitem(sys.modules, "amdsmi")
    monkeypatch.syspath_prepend(tmp_path)
    counter, (note,) = page.amd_counter(1)
    assert counter is None
    assert "KeyError: 'libamd_smi.so'" in note
    assert "mem_get_info is judged" in note
    assert "install amdsmi" in note
    assert "\n" not in note
    monkeypatch.setitem(sys.modules, "amdsmi", fake_amdsmi(USED, None, error=RuntimeError("no driver")))
    assert "no driver" in page.amd_counter(1)[1][0]


def test_cuda_asks_no_amdsmi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setitem(sys.modules, "amdsmi", fake_amdsmi(USED, None, error=AssertionError("it was asked")))
    assert page.amd_counter(1) == (None, ())


def test_the_worker_reads_its_own_device_and_counts_shared_memory_once(monkeypatch: pytest.MonkeyPatch) -> None:
    free_and_total = {"cuda:3": (30, 100)}
    monkeypatch.setattr(torch.cuda, "mem_get_info", free_and_total.__getitem__)
    weight = torch.nn.Parameter(torch.zeros(4, 8))
    model = SimpleNamespace(
        parameters=lambda: [weight, torch.nn.Parameter(weight.data.view(8, 4)), torch.nn.Parameter(torch.zeros(2))]
    )
    probe = page.Probe()
    probe.device = "cuda:3"
    probe.model_runner = SimpleNamespace(model=model, kv_caches=[torch.zeros(16), [torch.zeros(2), torch.zeros(2)]])
    assert probe.device_bytes_used() == 70
    assert probe.held_bytes() == (4 * 8 * 4 + 2 * 4, 16 * 4 + 2 * 2 * 4)
    llm = SimpleNamespace(collective_rpc=lambda method: [getattr(probe, method)()] * 2)
    assert page.InWorker(llm).used() == (70, 70)


def test_open_files_of_descendants_are_counted(tmp_path: Path) -> None:
    before = page.open_files()
    with (tmp_path / "one").open("w"):
        assert page.open_files() == before + 1
    assert page.open_files() == before
    child = "import os, sys; keep = [os.open('/dev/null', 0) for _ in range(50)]; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert page.process_tree()[0] == os.getpid()
        assert process.pid in page.process_tree()
        assert page.open_files() >= before + 50
        process.terminate()


def test_a_check_that_hangs_ends_with_one_line_and_leaves_no_process() -> None:
    script = """
        import subprocess, sys, time
        from verl_rocm.sleepcheck.counters import time_limit
        with time_limit(0.5):
            time.sleep(0.6 * float(sys.argv[1]))
        worker = subprocess.Popen(["sleep", "60"])
        print(worker.pid, flush=True)
        with time_limit(0.5):
            worker.wait()
    """
    start = time.monotonic()
    command = [sys.executable, "-c", textwrap.dedent(script), "0"]
    path = {**os.environ, "PYTHONPATH": str(Path(page.__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, env=path, timeout=30)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: no verdict within 0.5 s: the engine hangs, or give it more time with --timeout"
    ]
    while alive(int(done.stdout)):
        assert time.monotonic() - start < 20
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether it runs; a process that ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
