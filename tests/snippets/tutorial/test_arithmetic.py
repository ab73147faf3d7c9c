"""The arithmetic set, its reward, and the plot of a run's log."""

import json
import os
import sys
from pathlib import Path

import pytest

from guide.doctest import processes

pytest.importorskip("pandas")
import pandas

from snippets.tutorial import arithmetic_data, arithmetic_reward

TUTORIAL = Path(__file__).parents[3] / "snippets" / "tutorial"


def program(name: str, *arguments: object, cwd: Path) -> tuple[int, str]:
    command = [sys.executable, str(TUTORIAL / name), *map(str, arguments)]
    done = processes.run(command, timeout=60, cwd=cwd, env=os.environ | {"MPLCONFIGDIR": str(cwd / "mpl")})
    return done.returncode, done.stdout


@pytest.mark.block("tutorial/arithmetic_data.py", "imports", "row", "write")
def test_the_set_holds_what_verl_reads_and_right_answers(tmp_path: Path) -> None:
    assert program("arithmetic_data.py", tmp_path, "--rows", 100, "--largest", 9, cwd=tmp_path)[0] == 0
    train, val = (pandas.read_parquet(tmp_path / f"{name}.parquet") for name in ("train", "val"))
    assert (len(train), len(val)) == (100, 64)
    assert {"data_source", "prompt", "reward_model"} <= set(train.columns)
    for row in train.itertuples():
        words = row.prompt[0]["content"].split()
        assert int(words[2]) + int(words[4].rstrip("?")) == int(row.reward_model["ground_truth"])
        assert 0 <= int(words[2]) <= 9
    again = tmp_path / "again"
    arithmetic_data.write(again, rows=100, largest=9)
    assert (again / "train.parquet").read_bytes() == (tmp_path / "train.parquet").read_bytes(), "the seed decides"
    assert train["prompt"].head(64).tolist() != val["prompt"].tolist()


@pytest.mark.block("tutorial/arithmetic_reward.py", "reward")
@pytest.mark.parametrize(
    ("answer", "reward"),
    [("12", 1.0), (" 12\n", 1.0), ("13", 0.2), ("= 12", 0.1), ("twelve", 0.0), ("", 0.0), ("١٢", 0.0)],
)
def test_the_reward(answer: str, reward: float) -> None:
    assert arithmetic_reward.compute_score("arithmetic", answer, "12") == pytest.approx(reward)


@pytest.mark.block("tutorial/plot_rewards.py", "imports", "read", "draw")
def test_the_plot_shows_the_log(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from snippets.tutorial import plot_rewards

    for number, steps in ((1, (1, 2, 3)), (2, (3, 4))):
        lines = [{"step": step, "data": {"critic/score/mean": step * number / 10}} for step in steps]
        (tmp_path / f"metrics-{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    logs = sorted(tmp_path.glob("metrics-*.jsonl"))
    values = plot_rewards.read(logs, "critic/score/mean")
    assert values == {1: 0.1, 2: 0.2, 3: 0.6, 4: 0.8}, "the resumed run wins where both have a step"
    code, _ = program("plot_rewards.py", *logs, "--out", tmp_path / "rewards.svg", cwd=tmp_path)
    assert code == 0
    drawn = (tmp_path / "rewards.svg").read_text()
    assert "<svg" in drawn and "line2d" in drawn
    code, output = program("plot_rewards.py", *logs, "--metric", "nothing", cwd=tmp_path)
    assert code == 2 and "no step has nothing" in output
    code, output = program("plot_rewards.py", tmp_path / "none", cwd=tmp_path)
    assert code == 2 and "is not there" in output and "Traceback" not in output
