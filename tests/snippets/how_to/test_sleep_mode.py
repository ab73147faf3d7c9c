"""The sleep-mode check: refused on CPU, run on a GPU, its order on an engine that is made up, the stock CPU engine."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sleep_mode as page
from sleep_mode_counters import Probe, Stop
from sleep_mode_report import judge, report

from guide.doctest import processes
from tests.support.resident import OPTIONS, Resident
from tests.support.sleep_fakes import FakeEngine, fake_amdsmi

SCRIPT = Path(page.__file__)
LEVELS = {1: page.wake_level_1, 2: page.wake_level_2}


@pytest.fixture
def refused(model: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the script says where vLLM refuses sleep mode."""
    assert page.main(["--model", model, "--kv-cache-gib", "0.0625"]) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.block(
    "how_to/sleep_mode.py", "build_engine", "wake", "cycle", evidence="not run", reason="refused by vLLM's CPU platform"
)
@pytest.mark.block(
    "how_to/sleep_mode_counters.py", "in_worker", evidence="not run", reason="refused by vLLM's CPU platform"
)
@pytest.mark.block("how_to/sleep_mode_sync.py", "sync", evidence="not run", reason="refused by vLLM's CPU platform")
@pytest.mark.accelerator("cpu")
def test_a_cpu_is_refused_by_vllm_and_the_script_says_so(model: str, refused: str) -> None:
    with pytest.raises(ValueError, match="Sleep mode is not supported on current platform"):
        page.build_engine(model, kv_cache_gib=0.0625)
    assert refused == (
        "sleep_mode: this vLLM refuses sleep mode here: it needs a GPU, and on ROCm vLLM 0.11.1 or later"
    )


def run_script(name: str, model: str) -> str:
    """Run a script of the page as a reader does, engines in processes of their own; what it printed."""
    command = [sys.executable, str(SCRIPT.with_name(name)), "--model", model, "--cycles", "5", "--kv-cache-gib", "4"]
    env = {name: value for name, value in os.environ.items() if name != "VLLM_ENABLE_V1_MULTIPROCESSING"}
    done = processes.run(command, timeout=1200, env=env)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.mark.block("how_to/sleep_mode.py", "build_engine", "wake", "cycle")
@pytest.mark.block("how_to/sleep_mode_counters.py", "in_worker")
@pytest.mark.accelerator("cuda", "rocm")
def test_sleep_mode_works_on_this_gpu(model: str, accelerator: str, evidence: Any) -> None:
    output = run_script("sleep_mode.py", model)
    assert output.count("PASS: memory left every GPU and came back") == 2
    assert ("counter: amdsmi VRAM used" in output) == (accelerator == "rocm")
    freed = [float(gib) for gib in re.findall(r"^GPU 0: .* ([\d.]+) GiB freed", output, re.M)]
    assert min(freed) > 3.6
    evidence.passed(cycles=5, kv_cache_gib=4)
    evidence.measured(freed_gib_level_1=freed[0], freed_gib_level_2=freed[1])


@pytest.mark.block("how_to/sleep_mode_sync.py", "sync")
@pytest.mark.accelerator("cuda", "rocm")
def test_a_sync_in_verls_order_changes_nothing_on_this_gpu(model: str, evidence: Any) -> None:
    output = run_script("sleep_mode_sync.py", model)
    assert output.count("PASS: memory left every GPU and came back") == 1
    evidence.passed(cycles=5, kv_cache_gib=4)


@pytest.fixture
def stock(model: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """vLLM's CPU engine as it is, in this process."""
    from vllm import LLM

    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    llm = LLM(model=model, kv_cache_memory_bytes=2**26, worker_extension_cls="sleep_mode_counters.Probe", **OPTIONS)
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
    assert "enable_sleep_mode=True" in report(run, judge(run))
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
    assert page.main(["--model", "nowhere"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sleep_mode: ")
    assert says in line


def test_a_full_gpu_is_refused_before_the_engine_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    monkeypatch.setitem(sys.modules, "amdsmi", fake_amdsmi([190_000], None))
    monkeypatch.setattr(torch.version, "hip", "7.2.53211")
    for variable in ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    assert page.main(["--model", "nowhere"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "sleep_mode: only 6.45 GiB of VRAM are free: end what uses it, or lower --kv-cache-gib"
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
    script = "import sleep_mode; print(sleep_mode.checkpoint('org/name'))"
    env = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "PYTHONPATH": str(SCRIPT.parent)}
    done = processes.run([sys.executable, "-c", script], timeout=60, env=env)
    assert done.stdout.splitlines()[-1] == str(snapshot)


def test_the_worker_finds_the_probe_by_its_name() -> None:
    assert (Probe.__module__, Probe.__qualname__) == ("sleep_mode_counters", "Probe")


@pytest.mark.block("how_to/sleep_mode.sh", "one_gpu", "two_gpus", "verl_order", evidence="checked")
def test_the_commands_of_the_page_are_accepted() -> None:
    text = SCRIPT.with_suffix(".sh").read_text()
    commands = re.findall(r"^(?:HIP_VISIBLE_DEVICES=[\d,]+ )?python (\w+\.py) (.*)$", text, re.M)
    parsed = [(script, page.arguments("").parse_args(rest.split())) for script, rest in commands]
    assert [(script, args.tensor_parallel_size) for script, args in parsed] == [
        ("sleep_mode.py", 1),
        ("sleep_mode.py", 2),
        ("sleep_mode_sync.py", 1),
    ]
    assert all((SCRIPT.parent / script).is_file() and args.cycles == 20 for script, args in parsed)
