"""One pass: the first error that is a cause, releases and GPUs, and every text of the facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from verl_rocm.explain import read as reader
from verl_rocm.explain.read import Reading, read
from verl_rocm.explain.versions import affects
from verl_rocm.facts.load import load

FACTS = load()


def reading(folder: Path, text: str) -> Reading:
    path = folder / "job.log"
    path.write_text(text, encoding="utf-8")
    return read(str(path), FACTS)


@pytest.mark.parametrize(
    ("lines", "number", "process"),
    [
        (["(A pid=1) Traceback (most recent call last):", "(A pid=1) ValueError: a", "OSError: b"], 2, "A"),
        (
            ["ray.exceptions.RayTaskError(ValueError): ray::A() (pid=1)", '  File "a.py", line 3', "ValueError: a"],
            3,
            "",
        ),
        (["WARNING 01-01 10:00:00 [a.py:1] ImportError: harmless", "KeyError: 'x'"], 2, ""),
        (["vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."], 1, ""),
        (['    raise ValueError("no error yet")', "Memory access fault by GPU node-1 on address (nil)."], 2, ""),
        (
            ["[rank4]:[E504 1 P.cpp:2] Process group watchdog thread terminated with exception: CUDA error: x", "a"],
            1,
            "",
        ),
        (["0: RuntimeError: of a task", "srun: error: nid001: task 0: Exited with exit code 1"], 1, ""),
        (
            ["/usr/bin/ld: cannot find -lamdhip64: No such file or directory", "error: subprocess-exited-with-error"],
            1,
            "",
        ),
    ],
)
def test_the_first_error_is_the_cause(tmp_path: Path, lines: list[str], number: int, process: str) -> None:
    error = reading(tmp_path, "\n".join(lines)).error
    assert error is not None
    assert (error.number, error.line.process) == (number, process)


def test_a_log_without_an_error_has_none(tmp_path: Path) -> None:
    quiet = "INFO 01-01 10:00:00 [a.py:1] error rate 0\nretrying after ValueError in the sandbox\n"
    assert reading(tmp_path, quiet).error is None


def test_the_lines_around_the_first_error_are_kept(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(40)]
    lines[20] = "ValueError: here"
    error = reading(tmp_path, "\n".join(lines)).error
    assert error is not None
    assert error.around == tuple(lines[20 - reader.BEFORE : 21 + reader.AFTER])


def test_releases_and_gpus_are_those_that_the_programs_print(tmp_path: Path) -> None:
    text = """
        (EngineCore pid=7) INFO 01-01 10:00:00 [core.py:76] Initializing a V1 LLM engine (v0.19.1+rocm721) with
        verl==0.9.1
        [pip3] torch==2.9.0+rocm6.4
        ray          : 2.51.1
        HIP runtime version          : 7.2.53211
        GPU models and configuration : AMD Instinct MI300X (gfx942:sramecc+:xnack-)
        vllm==0.1.dev1+gabc
        PYTORCH_ROCM_ARCH=gfx90a;gfx950
        AMD_Instinct_MI300X_OAM
    """
    named = reading(tmp_path, "\n".join(line.strip() for line in text.splitlines())).named
    assert named.versions == {
        "vllm": ["0.19.1+rocm721"],
        "verl": ["0.9.1"],
        "torch": ["2.9.0+rocm6.4"],
        "rocm": ["6.4", "7.2.53211"],
        "ray": ["2.51.1"],
    }
    assert (named.gpus, named.archs) == (["MI300X"], ["gfx942"])


def test_a_release_of_rocm_without_its_patch_excludes_nothing_inside_it(tmp_path: Path) -> None:
    issue = FACTS.issues["capture-hangs-with-rccl-of-rocm-7-2-1"]  # vLLM 0.19, ROCm 7.2.1 alone
    for text, answer in (
        ("HIP runtime version : 7.2.53211", None),
        ("ROCm version: 7.2.1\nvllm==0.19.0", True),
        ("ROCm version: 7.2.2\nvllm==0.19.0", False),
        ("vllm==0.17.0", False),
        ("vllm==0.17.0\nvllm==0.19.0", None),  # two jobs
    ):
        assert affects(issue, reading(tmp_path, text).named) is answer, text


@pytest.mark.parametrize("symptom", sorted({symptom for issue in FACTS.issues.values() for symptom in issue.symptoms}))
def test_every_text_of_the_facts_is_found(tmp_path: Path, symptom: str) -> None:
    owners = {issue.id for issue in FACTS.issues.values() if symptom in issue.symptoms}
    hits = reading(tmp_path, f"before\n(Worker pid=3) ERROR 01-01 10:00:00 [a.py:1] {symptom} 17\nafter\n").hits
    assert owners <= {name for hit in hits.by_text.values() for name in hit.fragment.issues}


def test_a_repeated_line_is_counted_and_numbered_once(tmp_path: Path) -> None:
    line = "(A pid=%d) RuntimeError: Please use HIP_VISIBLE_DEVICES instead of ROCR_VISIBLE_DEVICES"
    text = "\n".join(["first", line % 1, line % 2 + " [repeated 7x across cluster]", line % 3])
    (hit,) = reading(tmp_path, text).hits.by_text.values()
    assert (hit.number, hit.times) == (2, 9)


def test_blocks_and_long_lines_are_no_borders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verl_rocm.explain.source.BLOCK", 64)
    text = "\n".join([*(f"line {n}" for n in range(2, 60)), "x" * 9000, "KeyError: 'libamd_smi.so'"])
    result = reading(tmp_path, f"line 1\n{text}\n")
    assert result.error is not None
    assert result.lines == result.error.number == 61


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_zero_is_seen_beside_other_numbers(tmp_path: Path, order: tuple[int, int]) -> None:
    lines = [f"INFO 01-01 10:00:00 [a.py:1] Sleep mode freed {gib} GiB memory, 3 GiB" for gib in ("0.00", "8.51")]
    hits = reading(tmp_path, "\n".join(lines[place] for place in order)).hits
    assert [(hit.times, hit.number) for hit in hits.by_text.values()] == [(1, order.index(0) + 1)]


@pytest.mark.parametrize(
    "line",
    [
        "(APIServer pid=1)  \x1b[93m\u2584\x1b[0m \u2580 \u2588\x1b[0m  version \x1b[1m0.30.0\x1b[0m",
        "INFO 01-01 10:00:00 [utils.py:2] vLLM server version 0.30.0, serving model x",
        "INFO 01-01 10:00:00 [utils.py:2] vLLM API server version 0.30.0",
        '  File "/opt/venv/lib/vllm-0.30.0-py3.12-linux-x86_64.egg/vllm/a.py", line 1',
    ],
)
def test_vllm_names_its_release_in_several_ways(tmp_path: Path, line: str) -> None:
    assert reading(tmp_path, line).named.versions == {"vllm": ["0.30.0"]}
