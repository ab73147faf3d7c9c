"""The sleep-mode check: refused on CPU, run on a GPU, its order on an engine that is made up, the stock CPU engine."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from guide.doctest import processes
from tests.support.resident import OPTIONS, Resident
from tests.support.sleep_fakes import FakeEngine, fake_amdsmi
from verl_rocm.cli import main
from verl_rocm.sleepcheck import check as page
from verl_rocm.sleepcheck.counters import Probe, Stop
from verl_rocm.sleepcheck.judge import judge, report

SCRIPT = Path(page.__file__)
ROOT = SCRIPT.parents[2]
LEVELS = {1: page.wake_level_1, 2: page.wake_level_2}


@pytest.fixture
def refused(model: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the script says where vLLM refuses sleep mode."""
    assert main(["sleep-check", "--model", model, "--kv-cache-gib", "0.0625"]) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.accelerator("cpu")
def test_a_cpu_is_refused_by_vllm_and_the_script_says_so(model: str, refused: str) -> None:
    with pytest.raises(ValueError, match="Sleep mode is not supported on current platform"):
        page.build_engine(model, kv_cache_gib=0.0625)
    assert refused == ("error: this vLLM refuses sleep mode here: it needs a GPU, and on ROCm vLLM 0.11.1 or later")


@pytest.fixture
def stock(model: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """vLLM's CPU engine as it is, in this process."""
    from vllm import LLM

    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    llm = LLM(
        model=model, kv_cache_memory_bytes=2**26, worker_extension_cls="verl_rocm.sleepcheck.counters.Probe", **OPTIONS
    )
    yield llm
    llm.llm_engine.engine_core.shutdown()


@pytest.mark.accelerator("cpu")
def test_the_stock_cpu_engine_that_only_warns_is_found_out(stock: Any) -> None:
    expected = page.bytes_to_free(stock, stock.llm_engine.model_config.model)
    assert expected > 2**26  # 64 MiB of KV cache, and the weights
    stock.sleep(level=1)
    assert stock.llm_engine.is_sleeping()  # it says so, and nothing happened
    stock.wake_up()
    run = page.verify(
        stock, [Resident()], expected, level=1, wake=page.wake_level_1, cycles=5, patience=0.5, title="stock CPU engine"
    )
    assert [failure.kind for failure in judge(run)] == ["not freed"]
    assert run.reference == run.repeated == run.cycles[0].answers  # the text alone would have passed
    assert [len(answer.tokens) for answer in run.reference] == [16, 16]
    assert "[sleep-without-pool," in report(run, judge(run))
    freed = re.findall(r"^GPU 0: .* ([\d.]+) GiB freed", report(run, judge(run)), re.M)
    assert freed == ["0.00"]


def verify(engine: FakeEngine, level: int, module: Any = page, **options: Any) -> list[str]:
    wake = module.wake_level_1 if level == 1 else module.wake_level_2
    options = {"cycles": 5, "patience": 0.0, **options}
    run = module.verify(engine, [engine], engine.EXPECTED, level=level, wake=wake, **options)
    return [failure.kind for failure in judge(run)]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "stock" not in request.fixturenames:
        monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.mark.parametrize("level", LEVELS)
def test_an_engine_that_sleeps_passes_and_is_asked_in_vllms_order(level: int) -> None:
    engine = FakeEngine()
    assert verify(engine, level) == []
    wake = {1: ["wake None"], 2: ["wake ['weights']", "reload_weights", "wake ['kv_cache']"]}[level]
    cycle = [call for call in engine.calls if call != "read"][3:]  # three rounds come first
    assert cycle == [f"sleep {level}", *wake, "generate"] * 5


@pytest.mark.parametrize(
    ("fault", "level", "kinds"),
    [
        ("one GPU sleeps", 1, ["not freed"]),
        ("second GPU is late", 1, ["not freed"]),
        ("keeps prefix cache", 1, ["long text changed"]),
        ("keeps prefix cache", 2, ["long text changed"]),
        ("wake-up raises", 1, ["raised"]),
        ("wake-up asserts", 2, ["raised"]),
        ("kv_cache stays asleep", 1, ["raised"]),
        ("kv_cache stays asleep", 2, ["raised"]),
    ],
)
def test_an_engine_with_a_fault_fails_at_once(fault: str, level: int, kinds: list[str]) -> None:
    engine = FakeEngine(faults=(fault,))
    assert verify(engine, level) == kinds
    assert engine.calls.count(f"sleep {level}") == 1


def test_a_counter_that_follows_late_is_waited_for() -> None:
    assert verify(FakeEngine(faults=("second GPU is late",)), 1, patience=1.0) == []


def test_two_cycles_are_too_few() -> None:
    assert verify(FakeEngine(), 1, cycles=2) == ["too few cycles"]


def test_another_process_on_the_gpu_stops_the_check() -> None:
    with pytest.raises(Stop) as stop:
        verify(FakeEngine(faults=("neighbour",)), 1)
    assert str(stop.value) == (
        "GPU 1: memory in use moved by 1.00 GiB while the engine was idle: another process uses it; end that process "
        "or choose another GPU with HIP_VISIBLE_DEVICES"
    )


WEAKER = {
    "level 2 is not reloaded": ('    llm.collective_rpc("reload_weights")\n', ""),
    "reload before the weights have memory": ('    llm.wake_up(tags=["weights"])\n', ""),
    "long prompt shorter than a block": ("SENTENCE * (2 * block // sentence + 1)", "SENTENCE"),
    "prefix cache emptied before sleep": ("    stand_still(counters[0], expected)\n", "    llm.reset_prefix_cache()\n"),
    "a moving counter is accepted": ("    stand_still(counters[0], expected)\n", ""),
    "one GPU is enough to go on": ("return min(m - n", "return max(m - n"),
    "generates while asleep": ("    if llm.llm_engine.is_sleeping():\n", "    if False:\n"),
    "goes on after a failure": ("if any(failure.kind not in AT_THE_END for failure in judge(run)):", "if False:"),
}


def behaviour(module: Any) -> list[object]:
    """What the driver makes of every fault."""
    seen: list[object] = []
    faults = ("", "keeps prefix cache", "wake-up raises", "kv_cache stays asleep", "neighbour", "second GPU is late")
    for fault in faults:
        for level in LEVELS:
            engine = FakeEngine(faults=(fault,))
            try:
                kinds = verify(engine, level, module, cycles=2, patience=1.0 if "late" in fault else 0.0)
                seen.append((kinds, [call for call in engine.calls if call != "read"]))
            except Exception as error:
                seen.append(type(error).__name__)
    return seen


@pytest.mark.parametrize("change", WEAKER.values(), ids=WEAKER)
def test_a_driver_that_is_weakened_behaves_otherwise(change: tuple[str, str]) -> None:
    source = SCRIPT.read_text()
    assert source.count(change[0]) == 1, f"the mutation no longer fits the script: {change[0]!r}"
    module = ModuleType("weakened")
    sys.modules["weakened"] = module  # a dataclass looks its own module up
    exec(compile(source.replace(*change), "weakened", "exec"), vars(module))
    assert behaviour(module) != behaviour(page)


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        ("Value error, Sleep mode is not supported on current platform. [type=value_error]", "refuses sleep mode here"),
        ("Sleep mode is only supported on CUDA devices.", "refuses sleep mode here"),
        ("EngineArgs.__init__() got an unexpected keyword argument 'kv_cache_memory_bytes'", "needs 0.11.1 or later"),
        (
            "Engine core initialization failed. See root cause above.",
            "lower --gpu-memory-utilization and --kv-cache-gib",
        ),
        ("", "the engine did not start (no message)"),
    ],
)
def test_an_engine_that_does_not_start_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: str, says: str
) -> None:
    def build_engine(*_: object, **__: object) -> None:
        raise ValueError(raised)

    monkeypatch.setattr(page, "build_engine", build_engine)
    assert main(["sleep-check", "--model", "nowhere"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert says in line


def test_a_full_gpu_is_refused_before_the_engine_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    monkeypatch.setitem(sys.modules, "amdsmi", fake_amdsmi([190_000], None))
    monkeypatch.setattr(torch.version, "hip", "7.2.53211")
    for variable in ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["sleep-check", "--model", "nowhere"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: only 6.45 GiB of VRAM are free: end what uses it, or lower --kv-cache-gib"
    ]


def test_the_checkpoint_counts_in_the_dtype_of_the_engine(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    file = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(10, 10), "b": torch.zeros(8, dtype=torch.int8)}, file, metadata={"format": "pt"})
    assert page.checkpoint_bytes(file, 2) == 10 * 10 * 2 + 8
    assert page.checkpoint_bytes(file, 4) == 10 * 10 * 4 + 8


def test_a_checkpoint_is_found_by_directory_and_by_name(model: str, tmp_path: Path) -> None:
    assert page.checkpoint(model) == Path(model)
    snapshot = tmp_path / "models--org--name" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (tmp_path / "models--org--name" / "refs").mkdir()
    (tmp_path / "models--org--name" / "refs" / "main").write_text("abc")
    script = "from verl_rocm.sleepcheck import check; print(check.checkpoint('org/name'))"
    env = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = processes.run([sys.executable, "-c", script], timeout=60, env=env)
    assert done.stdout.splitlines()[-1] == str(snapshot)


def test_the_worker_finds_the_probe_by_its_name() -> None:
    assert (Probe.__module__, Probe.__qualname__) == ("verl_rocm.sleepcheck.counters", "Probe")
