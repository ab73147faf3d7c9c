"""The table of build rehearsals: from the record alone, and a file that is none is named."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from blocks.rehearsals import rows
from guide.records.rehearsals import Rehearsals, Result, Step, load, save

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def result(status: str) -> Result:
    return Result.model_validate(
        {"status": status, "seconds": 8.71, "seen": "x", "ended": NOW, "load": 1.0, "commit": None, "clean": True}
    )


def test_a_step_is_a_row_and_what_did_not_run_or_failed_says_so(tmp_path: Path) -> None:
    step = Step(really="all", replaced=[])
    record = Rehearsals(
        machine="two cores",
        steps={"version": step, "build": step},
        results={"0.8.4": {"version": result("passed")}, "0.33.0": {"version": result("failed")}},
    )
    assert rows(record) == [["version", "8.7\u00a0s", "failed"], ["build", "not run", "not run"]]
    save(record, tmp_path / "a" / "rehearsals.json")
    assert load(tmp_path / "a" / "rehearsals.json") == record


def test_no_record_and_a_broken_one(tmp_path: Path) -> None:
    assert load(tmp_path / "rehearsals.json") is None
    (tmp_path / "rehearsals.json").write_text('{"machine": 3}')
    with pytest.raises(ValueError, match=r"rehearsals.json is no record of rehearsals .*: restore it with git"):
        load(tmp_path / "rehearsals.json")
