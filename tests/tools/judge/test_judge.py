"""``make judge``: rows are read strictly, the last line sums up both models, and only checked rows are kept."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.tools.judge.test_times import SERVED
from tools.judge import record, times
from tools.judge.__main__ import main
from tools.judge.memory_rows import Row
from tools.judge.rows import BadRows, read
from tools.judge.verdicts import Verdict


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "engine.jsonl").write_text('{"id": "a", "source": "b"}\n{"id": "c"}\n')
    with pytest.raises(BadRows, match=r"engine.jsonl:2: source: "):
        read(tmp_path / "engine.jsonl", Row)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("other.jsonl", "{}", "has neither engine.jsonl nor micro.jsonl with rows: name a folder, ROWS=DIR"),
        ("micro.jsonl", '{"id": 3}', "micro.jsonl:1: id: Input should be a valid string; correct the line"),
    ],
)
def test_a_folder_without_rows_is_one_line(
    name: str, content: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content + "\n")
    assert main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.endswith(reason + "\n") and error.count("\n") == 1


def test_the_last_line_sums_up_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unnamed = {"id": "log", "source": "somebody/somewhere#2", "weights_gib": 1.0}
    (tmp_path / "engine.jsonl").write_text(json.dumps(unnamed) + "\n")
    (tmp_path / "micro.jsonl").write_text(json.dumps(SERVED) + "\n")
    assert main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "log skipped (the model is not named)"
    assert lines[-1].startswith("memory: 0 of 1 rows predicted; ")
    assert ". time: 1 of 1 rows predicted; odd (fitted on): 2 of 2 figures inside the range, " in lines[-1]


def test_only_checked_rows_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RECORDS", tmp_path)
    (tmp_path / "checked.toml").write_text('a = "the page\'s name of it"\n')
    verdicts = [
        Verdict(name, "file id 1", "even", "throughput", "tokens/s", 100.0, 150.0, 140.0, 160.0) for name in ("a", "b")
    ]
    record.write("time", verdicts, times.summary)
    with (tmp_path / "time.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["id"], row["source"], row["error_percent"]) == ("a", "the page's name of it", "+50.00")
    assert (tmp_path / "time.txt").read_text() == (
        "time: 1 of 1 rows predicted; odd (fitted on): 0 of 0 figures inside the range, none; "
        "even (judged by): 0 of 1 figures inside the range, median error 50.00 %, worst 50.00 % (1)\n"
    )
