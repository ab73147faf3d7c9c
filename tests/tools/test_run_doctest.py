"""Which interpreter `make doctest` takes, and what it says to bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from tools import run_doctest
from tools.environment import ROOT
from tools.run_doctest import BadInput, Interpreter, choose_accelerator, command
from verl_rocm import environments

CPU = Interpreter(torch=True, vllm=True, pytest=True)
NONE = Interpreter()
ROCM = replace(CPU, hip="7.0.51831", gpus=True)
CUDA = replace(CPU, cuda="13.0", gpus=True)


@pytest.mark.parametrize(
    ("option", "interpreter", "accelerator"),
    [
        ("auto", NONE, "cpu"),
        ("auto", CPU, "cpu"),
        ("auto", ROCM, "rocm"),
        ("rocm", ROCM, "rocm"),
        ("auto", CUDA, "cuda"),
        ("cpu", ROCM, "cpu"),
        ("auto", replace(CUDA, gpus=False), "cpu"),
    ],
)
def test_the_best_accelerator_is_chosen(option: str, interpreter: Interpreter, accelerator: str) -> None:
    assert choose_accelerator(option, interpreter, "python3") == accelerator


@pytest.mark.parametrize(
    ("option", "interpreter", "says"),
    [
        ("rocm", CPU, "no ROCM build of torch: set PYTHON="),
        ("cuda", ROCM, "no CUDA build of torch: set PYTHON="),
        ("auto", replace(ROCM, gpus=False), "has a ROCm torch but no GPU"),
        ("cuda", replace(CUDA, gpus=False), "check nvidia-smi"),
        ("auto", replace(ROCM, vllm=False), "no vLLM: install vLLM there"),
    ],
)
def test_a_gpu_interpreter_that_cannot_run_is_refused(option: str, interpreter: Interpreter, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        choose_accelerator(option, interpreter, "python3")


def test_the_device_file_tells_why_there_is_no_gpu(tmp_path: Path) -> None:
    device = tmp_path / "kfd"
    assert "is missing" in run_doctest.kfd_problem(device)
    device.touch()
    assert "HIP_VISIBLE_DEVICES" in run_doctest.kfd_problem(device)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every file")
def test_a_device_file_without_access_is_named(tmp_path: Path) -> None:
    device = tmp_path / "kfd"
    device.touch(mode=0)
    assert "join its group" in run_doctest.kfd_problem(device)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ACCELERATOR": "tpu"}, "ACCELERATOR=tpu is unknown: use one of auto, rocm, cuda, cpu"),
        ({"PYTHON": "/nowhere/python"}, "PYTHON=/nowhere/python is not there: name an interpreter"),
        ({"PYTHON": sys.executable, "ACCELERATOR": "rocm"}, "no ROCM build of torch: set PYTHON="),
        ({"ACCELERATOR": "cpu", "VLLM": "0.1.0"}, "VLLM=0.1.0 has no lock: use one of 0.28.0, 0.30.0, 0.32.0"),
        ({"MODEL": str(ROOT)}, "is no model: the directory has no config.json"),
        ({"MODEL": "no model"}, "MODEL=no model is no model: give a directory"),
        ({"MODEL": str(ROOT / "Makefile")}, "is no model: give a directory"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(variables: dict[str, str], says: str) -> None:
    words = ["make", "--no-print-directory", "doctest"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(words, cwd=ROOT, env={**inherited, **variables}, capture_output=True, text=True)
    lines = done.stderr.strip().splitlines()
    assert lines[0].startswith("make doctest: ")
    assert says in lines[0]
    assert lines[1:] == [f"make: *** [Makefile:{_line_of_recipe()}: doctest] Error 2"]


def _line_of_recipe() -> int:
    lines = (ROOT / "Makefile").read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if "tools.run_doctest" in line)


@pytest.fixture(scope="module")
def image_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter as in the usual AMD images: a virtual environment of its own, here with a stand-in ROCm torch."""
    folder = tmp_path_factory.mktemp("image") / "venv"
    venv.create(folder, with_pip=False)
    site = next((folder / "lib").glob("python3*")) / "site-packages"
    for name, text in {
        "torch/__init__.py": "from torch import cuda, version",
        "torch/version.py": "hip, cuda = '7.0.51831', None",
        "torch/cuda.py": "def is_available(): return True",
        "vllm/__init__.py": "raise ImportError('the launcher must not import vllm')",
    }.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text)
    return folder / "bin" / "python"


def test_the_image_interpreter_is_used_and_stays_as_it_is(image_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest is put beside it, from the interpreter that runs this test, so that no network is needed."""
    site = next((image_python.parent.parent / "lib").glob("python3*")) / "site-packages"
    before = sorted(path.relative_to(site) for path in site.rglob("*.py"))
    beside = next(path for path in sys.path if path.endswith("site-packages"))
    monkeypatch.setattr(run_doctest, "beside", lambda interpreter: Path(beside))
    python, arguments, environ = command({"PYTHON": str(image_python), "ONLY": "sleep"})
    assert python == str(image_python)
    assert "--accelerator=rocm" in arguments
    assert "--only=sleep" in arguments
    program = "import json, sys, torch, pytest; print(json.dumps([torch.version.hip, sys.prefix, pytest.__file__]))"
    tools = environ["GUIDE_TEST_TOOLS"]
    done = subprocess.run(
        [python, "-c", f"import sys; sys.path.append({tools!r}); {program}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    hip, prefix, where = json.loads(done.stdout)
    assert hip == "7.0.51831"
    assert Path(prefix) == image_python.parent.parent
    assert where.startswith(beside)
    assert sorted(path.relative_to(site) for path in site.rglob("*.py")) == before


def test_a_gpu_run_takes_no_engine_of_ours(image_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_doctest, "beside", lambda interpreter: None)
    with pytest.raises(BadInput, match="VLLM= picks the CPU engine"):
        command({"PYTHON": str(image_python), "VLLM": "0.28.0"})


def test_pytest_that_is_there_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_install(*arguments: object, **named: object) -> None:
        raise AssertionError("nothing may be installed")

    monkeypatch.setattr(subprocess, "run", no_install)
    assert run_doctest.beside(Interpreter(pytest=True)) is None


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "says"),
    [
        ("x86_64", "flags\t: fpu avx avx2 avx512f\n", ""),
        ("x86_64", "flags\t: fpu avx avx2\n", ""),
        ("x86_64", "flags\t: fpu avx\n", "this CPU has no AVX2"),
        ("aarch64", "Features\t: fp asimd\n", "the CPU engine is built for x86-64 and this machine is aarch64"),
        ("x86_64", None, ""),
    ],
)
def test_a_machine_that_cannot_run_the_engine_is_told_before_anything_is_built(
    tmp_path: Path, machine: str, cpuinfo: str | None, says: str
) -> None:
    file = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        file.write_text(cpuinfo)
    reason = environments.unsupported(file, machine)
    assert reason.startswith(says) and bool(reason) is bool(says) and "\n" not in reason


def test_progress_counts_what_pip_fetches(capsys: pytest.CaptureFixture[str]) -> None:
    progress = environments.Progress(20)
    for number in range(20):
        progress.line(f"Collecting package{number}==1")
    progress.line("Installing collected packages: a, b")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11  # every tenth of the way, and the end
    assert lines[0] == "  2 of 20 packages, package1" and lines[-1] == "  installing 20 packages"
