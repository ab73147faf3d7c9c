"""Launch scripts as people write them, read by bash with the launchers replaced."""

import time
from pathlib import Path

import pytest

from verl_rocm import script

BODY = {
    "array": 'ARGS=(\n  a.b=1  # why\n  "c.d=[1,2]"\n)\npython3 -m verl.trainer.main_ppo "${ARGS[@]}" "$@" | tee log',
    "continuation": "python -m verl.trainer.main_ppo \\\n  a.b=${B:-1} \\\n  c.d=[1,2] \\\n  $@",
    "exec through uv": 'LAUNCH=(uv run --frozen python3)\n"${LAUNCH[@]}" -m verl.trainer.main_ppo a.b=1 c.d=[1,2] "$@"',
    "ray job": 'ray job submit --address=x -- python3 -m verl.trainer.main_ppo a.b=1 c.d=[1,2] "$@"',
    "file": "python3 verl/trainer/main_ppo.py a.b=1 'c.d=[1,2]' \"$@\"",
}


def launches(tmp_path: Path, body: str, *more: str, limit: float = 20, **variables: str) -> list[script.Launch]:
    file = tmp_path / "run.sh"
    file.write_text(f"#!/usr/bin/env bash\nset -euo pipefail\n{body}\n", encoding="utf-8")
    return script.launches(file, more, variables, limit)


@pytest.mark.parametrize("style", BODY)
def test_styles(tmp_path: Path, style: str) -> None:
    found = launches(tmp_path, BODY[style], "e.f=2")
    assert [(made.module, made.arguments) for made in found] == [
        ("verl.trainer.main_ppo", ["a.b=1", "c.d=[1,2]", "e.f=2"])
    ]


def test_variables_reach_the_script_and_the_job(tmp_path: Path) -> None:
    body = 'export VLLM_ROCM_USE_AITER=1\npython3 -m verl.trainer.main_ppo a.b="${B:-1}"'
    (made,) = launches(tmp_path, body, B="7")
    assert made.arguments == ["a.b=7"]
    assert made.environment["VLLM_ROCM_USE_AITER"] == "1"


def test_every_launch_counts(tmp_path: Path) -> None:
    body = "for n in 1 2; do python3 -m verl.trainer.main_ppo trainer.nnodes=$n; done"
    assert [made.arguments for made in launches(tmp_path, body)] == [["trainer.nnodes=1"], ["trainer.nnodes=2"]]


def test_nothing_is_deleted_made_or_fetched(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("here")
    body = (
        f"rm -rf {kept}\nmkdir -p {tmp_path}/made\ncurl -f http://127.0.0.1:9\nulimit -n 99999999\n"
        "python3 -m verl.trainer.main_ppo | tee kept.log"
    )
    assert len(launches(tmp_path, body)) == 1
    assert not Path("kept.log").exists()
    assert kept.read_text() == "here" and not (tmp_path / "made").exists()


def test_there_is_no_network(tmp_path: Path) -> None:
    if not script.isolation():
        pytest.skip("this machine allows no network namespace")
    body = (
        "x=$(python3 -c 'import socket; print(len(socket.if_nameindex()))')\npython3 -m verl.trainer.main_ppo cards=$x"
    )
    (made,) = launches(tmp_path, body)
    assert made.arguments == ["cards=1"], "only the loopback device is there"


def test_a_script_that_never_ends_is_stopped(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(script.ScriptProblem, match="did not end within 1 s"):
        launches(tmp_path, "while true; do :; done", limit=1)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("echo hello", "launches no trainer of verl"),
        ("python3 -m verl.trainer.main_ppo a=$MISSING_ONE", "needs the variable MISSING_ONE"),
        ("if then", "launches no trainer of verl .*syntax error"),
        ("exit 3", "launches no trainer of verl"),
    ],
)
def test_scripts_that_tell_nothing(tmp_path: Path, body: str, says: str) -> None:
    with pytest.raises(script.ScriptProblem, match=says) as caught:
        launches(tmp_path, body)
    assert "\n" not in str(caught.value)


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(script.ScriptProblem, match="is not there"):
        script.launches(tmp_path / "none.sh")
