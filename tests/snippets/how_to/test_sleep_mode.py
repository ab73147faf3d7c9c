"""The page's sleep-mode script: refused on CPU, its verdicts on an engine that is made up, and the page's commands."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from guide.doctest import processes
from tests.support.sleep_fakes import GIB, MIB, FakeEngine, fake_amdsmi

HOW_TO = Path(__file__).resolve().parents[3] / "snippets" / "how_to"
ROOT = HOW_TO.parents[1]
Script = Callable[..., int]


class Driver(FakeEngine):
    """The engine that is made up, whose memory the driver's counter shows."""

    def generate(self, prompts: list[str], params: Any, use_tqdm: bool = False) -> list[Any]:
        return super().generate(prompts, params, use_tqdm)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[Driver], Script]:
    """The script's ``main`` over an engine, with that engine's memory behind amdsmi."""

    def load(engine: Driver) -> Script:
        smi: Any = fake_amdsmi([0], None)
        smi.amdsmi_get_gpu_vram_usage = lambda gpu: {"vram_used": engine.used()[gpu] // MIB}
        vllm: Any = ModuleType("vllm")
        vllm.LLM = lambda model, **options: engine
        vllm.SamplingParams = lambda **options: options
        monkeypatch.setitem(sys.modules, "amdsmi", smi)
        monkeypatch.setitem(sys.modules, "vllm", vllm)
        main: Script = runpy.run_path(str(HOW_TO / "sleep_mode.py"))["main"]
        return main

    return load


def test_an_engine_that_sleeps_works(script: Callable[[Driver], Script], capsys: pytest.CaptureFixture[str]) -> None:
    engine = Driver()
    assert script(engine)("model", kv_cache_gib=6) == 0
    assert capsys.readouterr().out == "10.00 GiB freed, at least 6 expected; works: True\n"
    assert [call for call in engine.calls if call != "read"] == ["generate", "sleep 1", "wake None", "generate"]


@pytest.mark.parametrize("fault", ["nothing is freed", "another text"])
def test_an_engine_with_a_fault_does_not(
    script: Callable[[Driver], Script], capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    engine = Driver()
    if fault == "nothing is freed":
        engine.used = lambda: (12 * GIB, 12 * GIB)  # type: ignore[method-assign]
    else:
        engine.wake_up = lambda tags=None: setattr(engine, "weights", "lost")  # type: ignore[method-assign]
    assert script(engine)("model", kv_cache_gib=6) == 1
    assert capsys.readouterr().out.endswith("works: False\n")


@pytest.mark.block(
    "how_to/sleep_mode.py",
    "imports",
    "measure",
    "cycle",
    evidence="not run",
    reason="refused by vLLM's CPU platform",
)
@pytest.mark.accelerator("cpu")
def test_a_cpu_is_refused_by_vllm(model: str) -> None:
    program = (
        "import sys, runpy\nfrom vllm.platforms import current_platform\ncurrent_platform.device_type  # chosen now\n"
        "from tests.support.sleep_fakes import fake_amdsmi\nsys.modules['amdsmi'] = fake_amdsmi([0], None)\n"
        f"runpy.run_path({str(HOW_TO / 'sleep_mode.py')!r}, run_name='__main__')"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = processes.run([sys.executable, "-c", program, model], timeout=120, env=env)
    assert done.returncode != 0
    assert "Sleep mode is not supported on current platform" in done.stdout


@pytest.mark.block("how_to/sleep_mode.py", "imports", "measure", "cycle")
@pytest.mark.accelerator("rocm")
def test_sleep_mode_works_on_this_gpu(model: str, evidence: Any) -> None:
    done = processes.run([sys.executable, str(HOW_TO / "sleep_mode.py"), model], timeout=1200)
    assert done.returncode == 0, done.stdout[-3000:]
    freed = re.search(r"^([\d.]+) GiB freed", done.stdout, re.MULTILINE)
    assert freed and float(freed[1]) > 7.2
    evidence.measured(freed_gib=float(freed[1]))


def command(region: str) -> list[str]:
    text = (HOW_TO / "sleep_mode.sh").read_text()
    body = re.search(rf"# \[start:{region}\]\n(.*?)# \[end:{region}\]", text, re.DOTALL)
    assert body
    words = shlex.split(body[1].replace("\\\n", ""))
    return words[words.index("verl-rocm") + 1 :]


@pytest.mark.block("how_to/sleep_mode.sh", "one_gpu", "two_gpus", "verl_order", evidence="checked")
@pytest.mark.parametrize("region", ["one_gpu", "two_gpus", "verl_order"])
def test_the_commands_of_the_page_are_accepted(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from verl_rocm.cli import main
    from verl_rocm.sleepcheck import command as sleep_check

    seen: list[tuple[dict[str, object], bool]] = []

    def run(options: dict[str, object], weight_sync: bool, level: int, bucket_mb: int) -> int:
        seen.append((options, weight_sync))
        return 0

    monkeypatch.setattr(sleep_check, "run", run)
    assert main(command(region)) == 0
    ((options, weight_sync),) = seen
    assert options["tensor_parallel_size"] == (2 if region == "two_gpus" else 1)
    assert weight_sync is (region == "verl_order")


@pytest.mark.block("how_to/sleep_mode.sh", "one_gpu", "verl_order")
@pytest.mark.parametrize("region", ["one_gpu", "verl_order"])
@pytest.mark.accelerator("cuda", "rocm")
def test_the_thorough_checks_pass_on_this_gpu(region: str, model: str, accelerator: str, evidence: Any) -> None:
    """Engines in processes of their own, as a reader starts them."""
    words = [model if word == "Qwen/Qwen2.5-0.5B-Instruct" else word for word in command(region)]
    env = {name: value for name, value in os.environ.items() if name != "VLLM_ENABLE_V1_MULTIPROCESSING"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    check = [sys.executable, "-m", "verl_rocm", *words, "--cycles", "5", "--kv-cache-gib", "4"]
    done = processes.run(check, timeout=1200, env=env)
    assert done.returncode == 0, done.stdout[-3000:]
    levels = 1 if region == "verl_order" else 2
    assert done.stdout.count("PASS: memory left every GPU and came back") == levels
    assert ("counter: amdsmi VRAM used" in done.stdout) == (accelerator == "rocm")
    freed = [float(gib) for gib in re.findall(r"^GPU 0: .* ([\d.]+) GiB freed", done.stdout, re.M)]
    assert min(freed) > 3.6
    evidence.passed(cycles=5, kv_cache_gib=4)
    evidence.measured(freed_gib=freed[0])


@pytest.mark.block("how_to/sleep_mode_good.txt", "output", evidence="checked")
@pytest.mark.block("how_to/sleep_mode_bad.txt", "output", evidence="checked")
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("sleep_mode_good.txt", "MI300X, ROCm 7.2, with PR 46203"),
        ("sleep_mode_bad.txt", "MI300X, ROCm 7.2, before PR 46203"),
    ],
)
def test_the_outputs_of_the_page_are_what_the_report_says(file: str, name: str) -> None:
    from tests.support.sleep_cases import REPLAYED, VERSIONS
    from verl_rocm.sleepcheck.judge import judge, report

    case = next(case for case in REPLAYED if case.name == name)
    text = f"# [start:output]\n{report(case.run, judge(case.run), VERSIONS)}\n# [end:output]\n"
    assert (HOW_TO / file).read_text() == text, f"write this into {file}:\n{text}"
