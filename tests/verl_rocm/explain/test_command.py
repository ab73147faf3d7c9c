"""The command: its exit codes, what it prints, and bad input in one line."""

from __future__ import annotations

import gzip
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from verl_rocm.cli import main
from verl_rocm.explain.report import Report

ROCR = "(A pid=1, ip=10.0.0.1) RuntimeError: Please use HIP_VISIBLE_DEVICES instead of ROCR_VISIBLE_DEVICES\n"


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["explain", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_issues_of_one_text_stand_together_with_how_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.log"
    path.write_text(f"ray==2.51.1\n{ROCR}")
    code, out, _ = run(capsys, str(path))
    assert code == 1
    assert "  names   Ray 2.51.1\n" in out and "error   line 2, by A: RuntimeError: Please use HIP" in out
    assert "2 known issues print this" in out and out.count("\n  tell   ") == 2
    assert out.count("\n  fits   its versions are those of the log\n") == 2
    assert out.index("[rocr-with-ray-or-verl, confirmed]") < out.index("[slurm-sets-rocr")
    assert "\n         unset ROCR_VISIBLE_DEVICES HIP_VISIBLE_DEVICES CUDA_VISIBLE_DEVICES\n" in out
    assert "docs/how-to/troubleshooting.html#rocr-with-ray-or-verl\n" in out
    assert out.endswith("\n2 known issues matched, exit code 1\n")


def test_json_is_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.log.gz"
    path.write_bytes(gzip.compress(ROCR.encode()))
    code, out, _ = run(capsys, str(path), "--json", "--target", "container")
    report = Report.model_validate_json(out)
    assert (code, report.format, report.lines, report.groups[0].line) == (1, 1, 1, 1)
    assert report.error is not None and report.error.process == "A"


def test_an_entry_of_other_releases_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.log"
    path.write_text("vllm==0.16.0\nCUDA Error: invalid argument at /a/cumem_allocator.cpp:119\n")
    code, out, _ = run(capsys, str(path))
    assert code == 0
    assert "left out, because the log names other releases or GPUs: wake-up-invalid-argument\n" in out


def test_named_releases_stand_for_those_of_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.log"
    path.write_text("vllm==0.16.0\nCUDA Error: invalid argument at /a/cumem_allocator.cpp:119\n")
    assert run(capsys, str(path))[0] == 0
    code, out, _ = run(capsys, str(path), "--vllm", "0.20.1", "--gpu", "mi300x")
    assert code == 1 and "  names   vLLM 0.20.1; MI300X\n" in out and "[wake-up-invalid-argument, reported]" in out


@pytest.mark.parametrize(
    ("option", "says"),
    [(("--rocm", "seven"), "--rocm 'seven' is no version"), (("--gpu", "MI9"), "--gpu 'MI9' is not known; known are")],
)
def test_a_bad_option_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str], says: str
) -> None:
    code, out, err = run(capsys, str(tmp_path / "not-there.log"), *option)
    assert (code, out) == (2, "") and err.startswith(f"error: {says}") and err.count("\n") == 1


def test_without_a_known_issue_it_says_which_lines_to_send(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.log"
    path.write_text("one\nZeroDivisionError: division by zero\nthree\n")
    code, out, _ = run(capsys, str(path))
    assert code == 0
    assert "\n    one\n    ZeroDivisionError: division by zero\n    three\n" in out
    assert out.endswith("\nno known issues matched, exit code 0\n")


def test_it_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.BufferedReader(io.BytesIO(ROCR.encode()))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream, isatty=lambda: False))
    assert run(capsys)[0] == 1


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert run(capsys) == (2, "", "error: -: nothing is piped in; name a log file\n")


def test_the_entry_of_the_first_error_stands_before_a_longer_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.log"
    later = "RuntimeError: CUDA error: operation not permitted on an event last recorded in a capturing stream"
    path.write_text(f"KeyError: 'libamd_smi.so'\n{later}\n")
    _, out, _ = run(capsys, str(path), "--json")
    ids = [group.entries[0].finding.id for group in Report.model_validate_json(out).groups]
    assert ids == ["amdsmi-key-error", "capture-broken-by-watchdog"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty; give the log of the job"),
        (b"\x7fELF\x02\x01\x01\0\0\0 ValueError: x", "a binary file; give the text"),
        (gzip.compress(b"text\n" * 999)[:40], "a damaged gzip file"),
        (gzip.compress(b""), "empty; give the log of the job"),
        (None, "No such file or directory; give a log file"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, says: str
) -> None:
    path = tmp_path / "job.log"
    if content is not None:
        path.write_bytes(content)
    code, out, err = run(capsys, str(path))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {path}: {says}") and err.count("\n") == 1


def test_a_folder_and_a_device_are_no_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, str(tmp_path))[2] == f"error: {tmp_path}: a folder; give one log file, or - for standard input\n"
    code, _, err = run(capsys, os.devnull)
    assert code == 2 and err == f"error: {os.devnull}: no file; give a log file, or - for standard input\n"
