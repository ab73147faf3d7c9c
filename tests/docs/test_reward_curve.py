"""The figure of the lesson on GRPO: drawn from the record alone, with the conditions of the run in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from guide.records.blocks import Software
from guide.records.recipes import Recipes, Training, save
from tests.docs import figures
from tests.docs.guide import MACHINE
from tests.docs.test_memory_timeline import STATIC, drawing

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def figure() -> ModuleType:
    return figures.load("reward_curve")


def training(*reward: float) -> Training:
    return Training(
        ended=datetime(2026, 11, 1, tzinfo=UTC),
        clean=True,
        machine=MACHINE,
        software=Software(python="3.11", torch="2.13.0", vllm="0.30.0", verl="0.9.1"),
        steps=3,
        seconds=99.6,
        step_seconds=[],
        peak_host_gib=1,
        reward=list(reward),
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_committed_figure_is_what_the_record_gives(figure: ModuleType, theme: str, tmp_path: Path) -> None:
    run = figure.load()
    figure.draw(run, theme, tmp_path / "now.svg")
    committed = STATIC / f"reward-curve-{theme}.svg"
    assert drawing(committed) == drawing(tmp_path / "now.svg"), "run python -m docs._figures.reward_curve"
    assert figure.conditions(run) in words(committed)


def words(path: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)</text>", path.read_text())


def test_the_conditions_stand_in_the_figure(figure: ModuleType, tmp_path: Path) -> None:
    figure.draw(training(0.1, 0.2, 0.4), "light", tmp_path / "now.svg")
    assert "toy model on a CPU, 3 steps in 100 s; verl 0.9.1, vLLM 0.30.0" in words(tmp_path / "now.svg")


def test_another_run_gives_another_figure(figure: ModuleType, tmp_path: Path) -> None:
    for name, last in (("a", 0.4), ("b", 0.5)):
        figure.draw(training(0.1, 0.2, last), "light", tmp_path / f"{name}.svg")
    assert drawing(tmp_path / "a.svg") != drawing(tmp_path / "b.svg")


@pytest.mark.parametrize("record", [None, Recipes(runs={"grpo-2": training(0.1)})])
def test_without_the_run_one_line_says_how_to_make_it(
    figure: ModuleType, record: Recipes | None, tmp_path: Path
) -> None:
    path = tmp_path / "cpu.json"
    if record:
        save(record, path)
    with pytest.raises(SystemExit, match=r"cpu\.json has no run grpo-20: run `make recipe STEPS=20`"):
        figure.load(path)
