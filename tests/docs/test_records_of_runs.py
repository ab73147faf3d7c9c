"""Records of Ray, of recipes and of what commands print: the committed ones are read, and a broken one is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from guide.records import ray, recipes
from guide.records.base import Model, RecordError
from guide.records.output import output
from tools.environment import ROOT

RECORDS = ROOT / "records"


def keys(content: object, path: str = "") -> set[str]:
    """The paths of all names in a JSON document; those of a list's items are one."""
    if isinstance(content, list):
        return {inner for item in content for inner in keys(item, f"{path}[]")}
    if not isinstance(content, dict):
        return {path}
    return {path} | {inner for name, item in content.items() for inner in keys(item, f"{path}.{name}")}


@pytest.mark.parametrize(
    ("name", "load", "save"),
    [
        ("ray/visibility.json", ray.load_visibility, ray.save),
        ("ray/environment.json", ray.load_variables, ray.save),
        ("recipes/cpu-x86_64.json", recipes.load, recipes.save),
    ],
)
def test_what_was_committed_is_read_and_written_again(
    name: str, load: Callable[[Path], Model], save: Callable[[Model, Path], None], tmp_path: Path
) -> None:
    record = load(RECORDS / name)
    save(record, tmp_path / "again.json")
    assert load(tmp_path / "again.json") == record
    committed, again = (json.loads(path.read_text()) for path in (RECORDS / name, tmp_path / "again.json"))
    absent = {path for path in keys(committed) - keys(again) if ".rollout_" not in path}  # null, which is left out now
    assert absent == set() and keys(again) <= keys(committed)


@pytest.mark.parametrize(
    ("load", "says"),
    [
        (
            ray.load_visibility,
            r"r\.json is no record of visible GPUs \(.*\): restore it with git, or .* make record-ray",
        ),
        (ray.load_variables, r"r\.json is no record of environment variables \(.*\): .* make record-ray"),
        (recipes.load, r"r\.json is no record of recipes \(.*\): restore it with git, or run make recipe"),
    ],
)
def test_a_file_that_is_none_is_named(load: Callable[[Path], Model], says: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"cases": 3, "runs": 3}')
    with pytest.raises(RecordError, match=says):
        load(tmp_path / "r.json")


def test_a_machine_that_never_trained_has_no_runs(tmp_path: Path) -> None:
    assert recipes.load(tmp_path / "none.json").runs == {}


def test_what_a_command_prints_stands_between_the_markers_of_its_region() -> None:
    assert output({"one": "a\nb\n\n", "two": "c"}) == (
        "# [start:one]\na\nb\n# [end:one]\n\n# [start:two]\nc\n# [end:two]\n"
    )
