"""Records: merging runs, writing atomically, refusing what is no record."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from guide.records import blocks as records
from guide.records.base import RecordError
from tests.docs.guide import MACHINE, SOFTWARE

WHEN = datetime(2026, 11, 1, tzinfo=UTC)
RUN = records.Run(started=WHEN, ended=WHEN, machine=MACHINE, software=SOFTWARE, commit=None, clean=False)


def result(run: str) -> records.Result:
    return records.Result(
        run=run, status="passed", level="run", seconds=1, setup_seconds=0, sha256="a", rest_sha256="b", file_sha256="c"
    )


def test_a_partial_run_keeps_the_other_regions_and_their_run() -> None:
    first = records.Record(machine_class="gfx942").merged("1", RUN, {"a": result("1"), "b": result("1")}, {"a", "b"})
    second = first.merged("2", RUN, {"a": result("2")}, {"a", "b"})
    assert {name: entry.run for name, entry in second.regions.items()} == {"a": "2", "b": "1"}
    assert set(second.runs) == {"1", "2"}


def test_regions_that_are_gone_leave_the_record_with_their_run() -> None:
    first = records.Record(machine_class="gfx942").merged("1", RUN, {"a": result("1")}, {"a"})
    second = first.merged("2", RUN, {"b": result("2")}, {"b"})
    assert set(second.regions) == {"b"}
    assert set(second.runs) == {"2"}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    record = records.Record(machine_class="gfx942").merged("1", RUN, {"a": result("1")}, {"a"})
    path = records.save(record, tmp_path)
    assert path.name == "gfx942.json"
    assert records.load(path) == record


def test_a_failing_write_leaves_the_old_record_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = records.Record(machine_class="gfx942")
    path = records.save(old, tmp_path)
    before = path.read_bytes()

    def fail(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        records.save(old.merged("1", RUN, {"a": result("1")}, {"a"}), tmp_path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["gfx942.json"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "x.json is not a record"),
        ('{"machine_class": "x", "colour": "red"}', "x.json is not a record"),
        ('{"machine_class": "x", "schema_version": 2}', "x.json is not a record"),
    ],
)
def test_what_is_no_record_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RecordError, match=says):
        records.load_all(tmp_path)


def test_a_result_without_its_run_is_refused(tmp_path: Path) -> None:
    path = records.save(records.Record(machine_class="x", regions={"a": result("1")}), tmp_path)
    with pytest.raises(RecordError, match="region a refers to run '1'"):
        records.load(path)
