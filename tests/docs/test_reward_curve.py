"""The figure of the lesson on GRPO: drawn from the record alone, with the conditions of the run in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.docs import figures
from tests.docs.test_memory_timeline import STATIC, drawing

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def figure() -> ModuleType:
    return figures.load("reward_curve")


def made() -> dict[str, Any]:
    return {"steps": 3, "seconds": 99.6, "reward": [0.1, 0.2, 0.4], "software": {"verl": "0.9.1", "vllm": "0.30.0"}}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_committed_figure_is_what_the_record_gives(figure: ModuleType, theme: str, tmp_path: Path) -> None:
    run = figure.load()
    figure.draw(run, theme, tmp_path / "now.svg")
    committed = STATIC / f"reward-curve-{theme}.svg"
    assert drawing(committed) == drawing(tmp_path / "now.svg"), "run python docs/_figures/reward_curve.py"
    assert figure.conditions(run) in words(committed)


def words(path: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)</text>", path.read_text())


def test_the_conditions_stand_in_the_figure(figure: ModuleType, tmp_path: Path) -> None:
    figure.draw(made(), "light", tmp_path / "now.svg")
    assert "toy model on a CPU, 3 steps in 100 s; verl 0.9.1, vLLM 0.30.0" in words(tmp_path / "now.svg")


def test_another_run_gives_another_figure(figure: ModuleType, tmp_path: Path) -> None:
    for name, last in (("a", 0.4), ("b", 0.5)):
        figure.draw({**made(), "reward": [0.1, 0.2, last]}, "light", tmp_path / f"{name}.svg")
    assert drawing(tmp_path / "a.svg") != drawing(tmp_path / "b.svg")


@pytest.mark.parametrize("record", [None, {"runs": {"grpo-2": {}}}])
def test_without_the_run_one_line_says_how_to_make_it(figure: ModuleType, record: Any, tmp_path: Path) -> None:
    path = tmp_path / "cpu.json"
    if record:
        path.write_text(json.dumps(record))
    with pytest.raises(SystemExit, match=r"cpu\.json has no run grpo-20: run `make recipe STEPS=20`"):
        figure.load(path)
