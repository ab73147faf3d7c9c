"""The right known issue stands first for logs made after public threads, and none for logs that show none."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from verl_rocm.explain.read import read
from verl_rocm.explain.report import Report, build
from verl_rocm.facts.load import load, read_toml
from verl_rocm.paste import Target

CORPUS = Path(__file__).parent / "corpus"
LEAST = 0.9  # of the logs that show a known issue


class Case(BaseModel):
    """A log, the thread that it is made after, and the id of the entry that belongs first, or ``none``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    thread: str
    expected: str
    log: str


class Cases(BaseModel):
    """One file of the corpus."""

    case: tuple[Case, ...]


CASES = [
    case for path in sorted(CORPUS.glob("*.toml")) for case in Cases.model_validate(read_toml(path, path.name)).case
]


def explained(case: Case, folder: Path) -> Report:
    path = folder / "job.log"
    path.write_text(case.log, encoding="utf-8")
    return build(str(path), read(str(path), load()), load(), Target.OVERRIDE)


def first(report: Report) -> str:
    return report.groups[0].entries[0].finding.id if report.groups else "none"


def test_the_right_entry_stands_first(tmp_path: Path) -> None:
    known = [case for case in CASES if case.expected != "none"]
    misses = {case.name: first(explained(case, tmp_path)) for case in known}
    misses = {case.name: misses[case.name] for case in known if misses[case.name] != case.expected}
    assert len(known) >= 40 and {case.expected for case in known} <= set(load().issues)
    assert 1 - len(misses) / len(known) >= LEAST, misses


@pytest.mark.parametrize("case", [case for case in CASES if case.expected == "none"], ids=lambda case: case.name)
def test_a_log_without_a_known_issue_gets_no_entry(case: Case, tmp_path: Path) -> None:
    report = explained(case, tmp_path)
    assert (first(report), report.exit_code) == ("none", 0)


def test_the_names_of_cases_differ() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
