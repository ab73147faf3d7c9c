"""What only dresses a line is taken away, and what differs from run to run is made equal."""

from __future__ import annotations

import pytest

from verl_rocm.explain.line import Line, normal, parse


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"plain text", Line("plain text")),
        (
            b"\x1b[36m(WorkerDict pid=12, ip=10.0.0.1)\x1b[0m ValueError: no [repeated 7x across cluster]",
            Line("ValueError: no", "WorkerDict", times=7),
        ),
        (b"[36m(TaskRunner pid=4617)[0m text", Line("text", "TaskRunner")),  # copied from a page
        (
            b"(_MapWorker pid=3177, ip=10.0.2.6) (VllmWorker rank=0 pid=3) ERROR 08-25 05:02:17 [a.py:5] KeyError: 'x'",
            Line("KeyError: 'x'", "VllmWorker rank=0", "error"),
        ),
        (b"(EngineCore_DP0 pid=77) INFO 10-22 09:43:49 [shm.py:4] waits", Line("waits", "EngineCore_DP0", "quiet")),
        (b"2024-04-11 16:38:16,464\tWARNING worker.py:2037 -- a node", Line("a node", level="quiet")),
        (b"3: RuntimeError: of a task of srun", Line("RuntimeError: of a task of srun")),
        (b"vllm1-1  | frame of docker compose", Line("frame of docker compose")),
        (b"[rank3]: OSError: no", Line("OSError: no")),
        (b"bad \xff byte", Line("bad \ufffd byte")),
    ],
)
def test_a_line_without_its_dress(raw: bytes, line: Line) -> None:
    assert parse(raw) == line


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("error at /workspace/csrc/a.cu:455 'bad'", "error at a.cu:164 \u2018bad\u2019"),
        ("GPU node-5 (handle: 0x460e3a50)", "GPU node-12 (handle: 0x7f)"),
        ("HIP_VISIBLE_DEVICES='0,1'  vs CUDA", 'HIP_VISIBLE_DEVICES="0,1,2,3" vs CUDA'),
        ("freed 8.51 GiB", "freed 140.2 GiB"),
    ],
)
def test_two_runs_print_the_same(one: str, other: str) -> None:
    assert normal(one) == normal(other)


def test_a_zero_says_something() -> None:
    assert normal("freed 0.00 GiB memory") != normal("freed 8.51 GiB memory")
    assert normal("GPUs 0 is less") == normal("GPUs 0.0 is less") != normal("GPUs 8.0 is less")
