"""The commands of the page on checking a machine: the script really runs, on the machine that runs the tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

from verl_rocm.check.machine import Machine

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "snippets" / "how_to" / "check_your_machine.sh"
SHOWN = ROOT / "snippets" / "how_to" / "check_your_machine_output.txt"
DESCRIPTION = ROOT / "tests" / "verl_rocm" / "check" / "machines" / "made_page.json"
WHAT_IF = "as if with vLLM 0.24.0, verl 0.9.1, ROCm 7.2.0, MI300X"


class Identified(BaseModel):
    """A finding; only its id is looked at."""

    id: str


class Described(BaseModel):
    """The description that ``verl-rocm check --json`` writes."""

    machine: Machine
    findings: list[Identified]


@dataclass
class Ran:
    """One run of the script: exit code, the three reports, and the description that it wrote."""

    code: int
    reports: list[str]
    written: Described


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The script in an empty folder, with this interpreter as ``python3``."""
    folder = tmp_path_factory.mktemp("check")
    python = folder / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    environ = os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environ |= {"COLUMNS": "100", "VLLM_GPU_LANG": "HIP"}  # a variable that nothing reads, so that there is a finding
    done = subprocess.run(["bash", str(SCRIPT)], capture_output=True, text=True, cwd=folder, env=environ, timeout=120)
    assert done.stderr == ""
    reports = re.split(r"(?<=, exit code \d)\n", done.stdout)[:-1]
    return Ran(done.returncode, reports, Described.model_validate_json((folder / "machine.json").read_text()))


@pytest.mark.block("how_to/check_your_machine.sh", "check")
def test_the_check_finds_what_was_planted(ran: Ran) -> None:
    assert ran.code == 1
    assert len(ran.reports) == 3
    assert "VLLM_GPU_LANG does nothing [vllm-gpu-lang-does-nothing, confirmed]" in ran.reports[0]
    assert "\n    unset VLLM_GPU_LANG\n" in ran.reports[0]


@pytest.mark.block("how_to/check_your_machine.sh", "check")
@pytest.mark.accelerator("cpu", "cuda")
def test_a_machine_without_amd_gpus_is_told_so(ran: Ran) -> None:
    assert "\n  GPUs    no AMD GPU here; what follows" in ran.reports[0]


@pytest.mark.block("how_to/check_your_machine.sh", "what_if")
def test_the_named_versions_count(ran: Ran) -> None:
    report = " ".join(ran.reports[1].split())
    assert WHAT_IF in report
    assert "vLLM 0.24.0 accepts sleep mode on ROCm; for memory that stays in use see" in report
    assert "sleep-leaves-vram-full" in report
    assert "\n    export HSA_ENABLE_IPC_MODE_LEGACY=1\n" in ran.reports[1]
    assert WHAT_IF not in ran.reports[0]


@pytest.mark.block("how_to/check_your_machine.sh", "describe")
def test_the_description_gives_the_same_report(ran: Ran) -> None:
    assert ran.reports[2] == ran.reports[0]
    assert ran.written.machine.environment["VLLM_GPU_LANG"] == "HIP"
    assert "vllm-gpu-lang-does-nothing" in [finding.id for finding in ran.written.findings]


@pytest.mark.block("how_to/check_your_machine_output.txt", "output", evidence="checked")
def test_the_output_of_the_page_is_what_the_program_prints() -> None:
    command = [sys.executable, "-m", "verl_rocm", "check", "--machine", str(DESCRIPTION)]
    environ = os.environ | {"COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environ, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
    again = "write it again: python -m tests.verl_rocm.check.write_output"
    assert SHOWN.read_text() == f"# [start:output]\n{done.stdout}# [end:output]\n", again
