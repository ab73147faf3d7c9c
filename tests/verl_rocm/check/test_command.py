"""The command: exit codes, one line for bad input, what it writes and reads back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.verl_rocm.check.descriptions import FILES, FOLDER, described, read
from verl_rocm.check.machine import LARGEST
from verl_rocm.cli import main

ROOT = Path(__file__).parents[3]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["check", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def description(name: str) -> Path:
    return FOLDER / f"made_{name}.json"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_exit_code_says_whether_there_are_findings(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    code, out, err = run(capsys, "--machine", file)
    expected = json.loads(file.read_text())["expected"]
    assert (code, err) == (1 if expected["findings"] else 0, "")
    counted = [len(expected["findings"]) or "no", len(expected["notes"]) or "no", code]
    last = r"{} findings?(?: \(\d+ confirmed\))?, {} notes?, exit code {}".format(*counted)
    assert re.fullmatch(last, out.splitlines()[-1])
    assert out.startswith("finding: " if code else "nothing known stands against")


def test_with_nothing_to_judge_it_does_not_say_that_nothing_was_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bare.json").write_text(json.dumps({"format": 1}))
    _, out, _ = run(capsys, "--machine", tmp_path / "bare.json", "--gpu", "MI300X")
    assert out.startswith("not judged: neither vLLM, verl nor torch is installed here")
    assert "no AMD GPU" not in out and "no findings" not in out
    assert out.splitlines()[-1] == "nothing judged, no notes, exit code 0"


def test_the_worst_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--machine", description("mi300x_rocm_7_2"))
    reported = "VRAM grows by 6 to 7 GB each step [ipc-memory-leak-rocm-7-2, reported]"
    assert reported in out and "confirmed], and 8 more" in out.splitlines()[0]


def test_without_amd_gpus_it_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--machine", description("no_amd"))
    assert code == 0
    assert [line for line in out.splitlines() if "no AMD GPU" in line] == [out.splitlines()[1]]
    assert "vLLM 0.30.0 (CPU build)" in out
    assert "vLLM 0.30.0 accepts sleep mode on ROCm" in out
    assert "known issues cannot be decided; they need --rocm and --gpu" in " ".join(out.split())


def test_sleep_mode_is_judged_by_the_contract_and_by_the_issues(capsys: pytest.CaptureFixture[str]) -> None:
    file = description("mi300x_clean")
    assert json.loads(run(capsys, "--machine", file, "--json")[1])["sleep"] == "vLLM 0.33.0 accepts sleep mode on ROCm"
    old = json.loads(run(capsys, "--machine", file, "--json", "--vllm", "0.11.0")[1])
    assert old["sleep"] == "vLLM 0.11.0 refuses sleep mode on ROCm"
    assert "sleep-refused-on-rocm" in [finding["id"] for finding in old["findings"]]
    stays = json.loads(run(capsys, "--machine", description("mi300x_verl_image"), "--json")[1])["sleep"]
    assert stays.endswith("see sleep-leaves-vram-full, sleep-pool-misses-alloc-conf-alias")


def test_what_it_writes_it_reads_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first = run(capsys, "--machine", description("variables"), "--json")
    (tmp_path / "sent.json").write_text(first[1])
    assert run(capsys, "--machine", tmp_path / "sent.json", "--json") == first
    (tmp_path / "part.json").write_text(json.dumps(described("variables")))
    assert run(capsys, "--machine", tmp_path / "part.json", "--json") == first


def test_this_machine_can_be_described_and_described_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "--json")
    assert (code in (0, 1), err) == (True, "")
    (tmp_path / "here.json").write_text(out)
    assert run(capsys, "--machine", tmp_path / "here.json", "--json")[1] == out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--vllm", "newest"], "--vllm 'newest' is no version"),
        (["--verl", ""], "--verl '' is no version"),
        (["--rocm", "seven"], "--rocm 'seven' is no version"),
        (["--gpu", "H200"], "--gpu 'H200' is not known; known are MI210, MI250X"),
        (["--gpu", ""], "--gpu '' is not known"),
        (["--machine", "/nowhere.json"], "/nowhere.json: No such file"),
        (["--machine", "/"], "/: Is a directory"),
        (["--machine"], "requires an argument"),
        (["--mashine", "x"], "No such option"),
        (["extra"], "unexpected extra argument"),
    ],
)
def test_bad_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


BAD_FILES: dict[str, tuple[object, str]] = {
    "no JSON": (b"GPU 0: MI300X", "no JSON"),
    "no text": (b"\xff\xfe\x00", "no JSON"),
    "nested too deep": (b"[" * 100_000, "no JSON"),
    "a list": ([], "no description of a machine"),
    "another file": ({"gpus": 8}, "no description of a machine"),
    "a later format": ({"format": 2}, "'format': input should be 1"),
    "an unknown field": ({"format": 1, "gpu_count": 8}, "'gpu_count': extra inputs"),
    "a wrong type": ({"format": 1, "limits": {"nofile": "many"}}, "'limits.nofile'"),
    "not finite": (b'{"format": 1, "shm_gib": NaN}', "'shm_gib': input should be a finite number"),
    "escape codes": ({"format": 1, "\x1b[31mred\n": 8}, "'\\x1b[31mred\\n'"),
    "too large": (b" " * (LARGEST + 1), "larger than 1000 kB"),
}


@pytest.mark.parametrize(("content", "says"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_none_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: object, says: str
) -> None:
    file = tmp_path / "machine.json"
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    code, out, err = run(capsys, "--machine", file)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


def test_facts_that_cannot_be_used_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from verl_rocm.facts import base, load

    def broken(*_: Any) -> None:
        raise base.FactsError("verl_rocm/facts/settings/sleep.toml: setting 'x': field 'name' is missing; add it")

    monkeypatch.setattr(load, "load", broken)
    code, out, err = run(capsys)
    assert (code, out, err) == (
        2,
        "",
        "error: verl_rocm/facts/settings/sleep.toml: setting 'x': field 'name' is missing; add it\n",
    )


def test_lines_to_paste_are_never_broken_and_text_is_not_obeyed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    value = "[bold]\x1b[31m\nexpandable_segments:True"
    machine = described(environment={"PYTORCH_ALLOC_CONF": value}, kernel="6.8\x1b[2J")
    (tmp_path / "machine.json").write_text(json.dumps(machine))
    code, out, _ = run(capsys, "--machine", tmp_path / "machine.json")
    assert code == 1
    assert "++actor_rollout_ref.rollout.engine_kwargs.vllm.disable_custom_all_reduce=True\n" in out
    assert "[bold]" in out
    assert "\x1b" not in out


def test_it_runs_alone_without_programs_of_rocm_and_imports_no_engine(tmp_path: Path) -> None:
    for name in ("vllm", "torch", "ray", "verl"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')")
    environ = {**os.environ, "PATH": "", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "verl_rocm", "check", "--json", "--machine", str(description("mi300x_clean"))]
    for arguments in (command, command[:5]):
        done = subprocess.run(arguments, capture_output=True, text=True, env=environ, cwd=tmp_path, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["machine"]["format"] == 1
    assert read("mi300x_clean").expected.findings == []
