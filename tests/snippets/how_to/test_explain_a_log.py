"""The page on explaining a log: its commands run, and its output is what the program prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guide.records.output import output
from tests.verl_rocm.explain.write_output import LOG, SHOWN, printed

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "snippets" / "how_to" / "explain_a_log.sh"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """``verl-rocm`` of this interpreter, and a ``ray`` that prints the log that was made for the page."""
    for name, command in (
        ("verl-rocm", f'exec "{sys.executable}" -m verl_rocm "$@"'),
        ("ray", f'[ "$*" = "job logs raysubmit_1" ] && cat "{ROOT / LOG}"'),
    ):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{command}\n")
        program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "LOG": LOG}


def run(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(SCRIPT)], capture_output=True, text=True, cwd=ROOT, env=environ, timeout=60)


@pytest.mark.block("how_to/explain_a_log.sh", "explain")
@pytest.mark.block("how_to/explain_a_log_output.txt", "output", evidence="checked")
def test_the_command_prints_what_the_page_shows(environ: dict[str, str]) -> None:
    done = run(environ)
    assert (done.returncode, done.stderr) == (1, "")
    assert "[wake-out-of-memory-with-cached-blocks, reported]" in done.stdout
    assert done.stdout == printed()
    again = "write it again: python -m tests.verl_rocm.explain.write_output"
    assert SHOWN.read_text(encoding="utf-8") == output({"output": done.stdout}), again


@pytest.mark.block("how_to/explain_a_log.sh", "pipe")
def test_the_log_of_a_job_comes_through_a_pipe(environ: dict[str, str]) -> None:
    done = run(environ | {"JOB": "raysubmit_1"})
    assert (done.returncode, done.stderr) == (1, "")
    first, second = done.stdout.split("exit code 1\n")[:2]
    assert "\n  log     -, 10 lines\n" in f"\n{second}"
    assert second.splitlines()[1:] == first.splitlines()[1:]
