"""Lengths have the mean and the maximum that they were drawn for; a file or log that has none is one line."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import fmean

import pytest

from verl_rocm.schedule.lengths import from_file, from_log, from_mean, place
from verl_rocm.schedule.model import Request, ScheduleError

LOG = """\
step:1 - response_length/mean:100.0 - response_length/max:512.0 - response_length/clip_ratio:0.0
(pid=7) step:2 - prompt_length/mean:88.5 - response_length/mean:300.25 - response_length/max:1024.0 \
- response_length/clip_ratio:0.1
"""


@pytest.mark.parametrize(("mean", "clipped"), [(50, 0.0), (500, 0.0), (512.5, 0.0), (900, 0.0), (400, 0.2)])
def test_drawn_lengths_have_the_mean_and_the_maximum(mean: float, clipped: float) -> None:
    values = from_mean(20_000, mean, 1024, clipped).responses
    assert fmean(values) == pytest.approx(mean, rel=0.02)
    assert min(values) >= 1 and max(values) <= 1024
    assert sum(value == 1024 for value in values) / len(values) == pytest.approx(clipped, abs=0.01)


def test_a_seed_gives_the_same_lengths_again() -> None:
    assert from_mean(50, 100, 500, seed=3) == from_mean(50, 100, 500, seed=3)
    assert from_mean(50, 100, 500, seed=3).responses != from_mean(50, 100, 500, seed=4).responses
    assert set(from_mean(5, 7, 7).responses) == {7}


def test_a_file_is_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "lengths.txt"
    path.write_text("12\n\n 7\n3000\n")
    lengths = from_file(path)
    assert lengths.responses == (12, 7, 3000)
    assert lengths.requests(5, 2) == (Request(0, 5, 12), Request(0, 5, 7), Request(1, 5, 3000))


@pytest.mark.parametrize("text", ["abc", "1.5", "-3", "0", "12 13", "²"])
def test_a_line_that_is_no_length(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lengths.txt"
    path.write_text(f"12\n{text}\n")
    with pytest.raises(ScheduleError) as caught:
        from_file(path)
    assert str(caught.value) == f"{path}:2: {text!r} is no length; write tokens, a whole number a line"


def test_no_file_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match=r"none\.txt: cannot be read \(FileNotFoundError\); give a text file"):
        from_file(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ScheduleError, match=r"empty\.txt: holds no length; "):
        from_file(tmp_path / "empty.txt")


def test_the_last_step_of_a_log_counts(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text(LOG)
    lengths, prompt = from_log(path, number=4000, maximum=1024)
    assert prompt == 88.5
    assert fmean(lengths.responses) == pytest.approx(300.25, rel=0.05)
    assert lengths.source.startswith(f"{path}, last of 2 steps: drawn, mean 300.25, at most 1024, 10% clipped")


@pytest.mark.parametrize(
    ("text", "maximum", "says"),
    [
        ("step:1 - actor/loss:1", 1024, "holds no response_length/mean; give the console log of a verl run"),
        (LOG, 1000, "responses have up to 1024 tokens, the job allows 1000; raise its limit"),
        ("response_length/mean:1.2.3", 1024, "response_length of the last step is no number; give another log"),
    ],
)
def test_a_log_that_does_not_help(tmp_path: Path, text: str, maximum: int, says: str) -> None:
    path = tmp_path / "run.log"
    path.write_text(text)
    with pytest.raises(ScheduleError, match=re.escape(f"{path}: {says}")):
        from_log(path, 10, maximum)


@pytest.mark.parametrize(("mean", "maximum", "clipped"), [(600, 500, 0.0), (0.5, 500, 0.0), (100, 500, 0.5)])
def test_a_mean_that_cannot_be(mean: float, maximum: int, clipped: float) -> None:
    with pytest.raises(ScheduleError, match=f"^responses of {mean:g} tokens on average cannot lie between 1 and"):
        from_mean(10, mean, maximum, clipped)


def test_requests_go_round_the_replicas() -> None:
    requests = tuple(Request(i, 1, 1) for i in range(5))
    assert place(requests, 2) == ((requests[0], requests[2], requests[4]), (requests[1], requests[3]))
