"""No process that claims an AMD GPU maps a compiled library of vLLM: the machine may be unable to execute it.

Looked at is what such processes have mapped (``/proc/self/maps``), not the CPU, so that these tests say the same on
every machine.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from guide.doctest import processes
from tests.support import amd_node
from tests.verl_rocm.engine import jobs
from verl_rocm.dryrun import engines
from verl_rocm.dryrun.report import Report

# Every Python process with this on its path says at its end which libraries of vLLM it has mapped: forks too.
WATCH = """
import atexit, os, sys
def note():
    with open("/proc/self/maps") as maps:
        names = {line.split(maxsplit=5)[5].strip() for line in maps if "/vllm/" in line and ".so" in line}
    with open(os.environ["MAPPED_LOG"], "a") as log:
        log.write("".join(f"{os.path.basename(name)}\\n" for name in names) or "none\\n")
def end(code, real=os._exit):
    note()
    real(code)
os._exit = end
atexit.register(note)
"""
# A CPU without AVX-512: loading the libraries for it ends the process as an illegal instruction does.
OLD_CPU = """
import importlib.machinery, os, signal
def create_module(self, spec, real=importlib.machinery.ExtensionFileLoader.create_module):
    if spec.name in ("vllm._C", "vllm._C_AVX512"):
        os.kill(os.getpid(), signal.SIGILL)
    return real(self, spec)
importlib.machinery.ExtensionFileLoader.create_module = create_module
"""
GUARD_TAKEN_OUT = """
import compiled_libraries
compiled_libraries.keep_out = lambda: None
"""
CLAIM = """
from vllm.platforms import current_platform
import vllm._custom_ops
print(type(current_platform).__name__)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ``sitecustomize.py`` of the dry run's processes, which watches; ``log`` beside it is what it wrote."""
    path = tmp_path / "sitecustomize.py"
    path.write_text(WATCH)
    monkeypatch.setenv("VERL_ROCM_EXTRA_PATH", str(tmp_path))
    monkeypatch.setenv("MAPPED_LOG", str(tmp_path / "log"))
    return path


def dry_run() -> jobs.Answer:
    with tempfile.TemporaryDirectory() as folder:
        (answer,) = jobs.resolved([jobs.request("MI300X", jobs.PAGE, Path(folder))])
    return answer


def mapped(site: Path) -> list[str]:
    """Names of vLLM's libraries that processes mapped, ``none`` for each process without one."""
    return (site.parent / "log").read_text().split()


def test_a_dry_run_maps_none_that_needs_avx_512(site: Path) -> None:
    assert isinstance(dry_run(), Report)
    # The fork that weighs the model registers vLLM's operators from the library that every engine's machine executes.
    assert sorted(mapped(site)) == ["_C_AVX2.abi3.so", "none", "none"], "the process that imports, and its forks"


def test_a_dry_run_on_a_cpu_without_avx_512_is_the_same(site: Path) -> None:
    site.write_text(OLD_CPU)
    assert isinstance(dry_run(), Report)


def test_without_the_guard_a_dry_run_maps_one(site: Path) -> None:
    """Shows that the test above can fail; where the CPU cannot execute the library, the process says so by dying."""
    site.write_text(WATCH + GUARD_TAKEN_OUT)
    try:
        dry_run()
    except engines.EngineProblem as problem:
        assert "SIGILL" in str(problem)
    else:
        assert "_C.abi3.so" in mapped(site)


def test_without_the_guard_a_cpu_without_avx_512_is_named_by_its_signal(site: Path) -> None:
    site.write_text(OLD_CPU + GUARD_TAKEN_OUT)
    with pytest.raises(engines.EngineProblem, match="ended by SIGILL"):
        dry_run()


@pytest.mark.parametrize("guard", ["in", "out"])
def test_a_claimed_node(tmp_path: Path, guard: str) -> None:
    """The processes of the Ray tests: another way to claim a GPU, the same guard."""
    environ = amd_node.environment() | {"MAPPED_LOG": str(tmp_path / "log")}
    program = WATCH + (GUARD_TAKEN_OUT if guard == "out" else "") + CLAIM
    done = processes.run([sys.executable, "-c", program], timeout=120, env=environ)
    if guard == "out" and done.returncode == -signal.SIGILL:
        return
    assert done.stdout.splitlines()[-1] == "RocmDryRun", done.stdout
    names = (tmp_path / "log").read_text().split()
    assert names == ["none"] if guard == "in" else any(name.startswith("_C") for name in names)


OPERATORS = """
import os, sys
os.environ["VERL_ROCM_IDENTITY"] = "{}"
import amdsmi, compiled_libraries, torch
assert not hasattr(torch.ops._C, "silu_and_mul")
compiled_libraries.register_operators()
print(torch.ops._C.silu_and_mul)
"""


def test_the_operators_can_be_registered_from_the_library_for_avx2(tmp_path: Path) -> None:
    environ = os.environ | {"PYTHONPATH": str(engines.IDENTITY), "MAPPED_LOG": str(tmp_path / "log")}
    done = processes.run([sys.executable, "-c", WATCH + OPERATORS], timeout=120, env=environ)
    assert done.stdout.splitlines()[-1] == "_C.silu_and_mul", done.stdout
    assert (tmp_path / "log").read_text().split() == ["_C_AVX2.abi3.so"]
