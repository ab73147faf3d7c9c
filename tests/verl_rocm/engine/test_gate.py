"""The GitHub Action and the commit hook, on a sample repository: their own steps, run as their hosts run them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, Field

from tests.support import checkouts

RECIPE = """#!/bin/bash
source settings.sh
python3 -m verl.trainer.main_ppo algorithm.adv_estimator=grpo actor_rollout_ref.rollout.name=vllm \\
  actor_rollout_ref.model.path=Qwen/Qwen2.5-7B-Instruct actor_rollout_ref.actor.use_dynamic_bsz=True \\
  actor_rollout_ref.rollout.cudagraph_capture_sizes=[1,2,4,8,16,32,64] actor_rollout_ref.rollout.max_num_seqs=$SEQUENCES
"""
ENGINES = f"0.30.0={sys.executable}"


class Input(BaseModel):
    """An input of the action."""

    default: str = ""


class Step(BaseModel):
    """A step that the action runs; one that uses another action would fail here."""

    name: str
    shell: str
    run: str
    env: dict[str, str] = Field(default_factory=dict)


class Runs(BaseModel):
    """The steps of a composite action."""

    using: str
    steps: list[Step]


class Action(BaseModel):
    """What of ``action.yml`` a runner reads."""

    inputs: dict[str, Input]
    runs: Runs


class Hook(BaseModel):
    """What of the hook pre-commit reads."""

    id: str
    entry: str
    language: str
    types: list[str]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A team's repository: two recipes, and the settings that they share."""
    folder = tmp_path / "team"
    (folder / "recipes").mkdir(parents=True)
    (folder / "settings.sh").write_text("export HYDRA_FULL_ERROR=1\n")
    (folder / "recipes" / "good.sh").write_text(RECIPE.replace("$SEQUENCES", "64"))
    (folder / "recipes" / "slow.sh").write_text(RECIPE.replace("$SEQUENCES", "256"))
    checkouts.commit(folder)
    return folder


def runner(action: Action, named: dict[str, str], repository: Path, tmp_path: Path) -> tuple[int, str]:
    """Run the steps as GitHub's runner would: exit code of the last step that ran, and the log."""
    values = {name: named.get(name, entry.default) for name, entry in action.inputs.items()}
    environ = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "PIP_INDEX_URL")}
    environ |= {"GITHUB_ACTION_PATH": str(checkouts.copy(tmp_path / "action")), "RUNNER_TEMP": str(tmp_path)}
    environ |= {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "VERL_ROCM_ENGINES": ENGINES}
    log = ""
    for step in action.runs.steps:
        inputs = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: values[match[1]], text)
            for name, text in step.env.items()
        }
        command = [step.shell, "--noprofile", "--norc", "-eo", "pipefail", "-c", step.run]
        environment = environ | inputs
        done = subprocess.run(command, capture_output=True, text=True, cwd=repository, env=environment, timeout=280)
        log += done.stdout + done.stderr
        if done.returncode:
            return done.returncode, log
    return 0, log


def test_the_action_annotates_the_recipe_that_is_slow(repository: Path, tmp_path: Path) -> None:
    action = Action.model_validate(yaml.safe_load((checkouts.ROOT / "action.yml").read_text()))
    assert action.runs.using == "composite"
    inputs = {"scripts": "settings.sh recipes/**/*.sh", "python": sys.executable, "rocm": "7.13"}
    code, log = runner(action, inputs, repository, tmp_path)
    assert code == 1, log
    assert "settings.sh: skipped, it names no program of verl" in log
    below = [line for line in log.splitlines() if "title=sizes-below-max-num-seqs on MI300X%2C vLLM 0.30.0::" in line]
    assert len(below) == 1 and below[0].startswith("::warning file=recipes/slow.sh,title=")
    assert "## recipes/good.sh" in (tmp_path / "summary.md").read_text()


def test_the_hook_stops_a_commit_of_the_recipe_that_is_slow(repository: Path) -> None:
    """As pre-commit calls it: the entry, the arguments of the user, and the changed files at the end."""
    (content,) = yaml.safe_load((checkouts.ROOT / ".pre-commit-hooks.yaml").read_text())
    hook = Hook.model_validate(content)
    assert (hook.id, hook.language, hook.types) == ("verl-rocm-gate", "python", ["shell"])
    entry = [sys.executable, "-m", "verl_rocm", *shlex.split(hook.entry)[1:], "--gpu", "MI300X", "--rocm", "7.13"]
    environ = os.environ | {"PYTHONPATH": str(checkouts.ROOT)}
    command = [*entry, "recipes/slow.sh", "settings.sh"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=repository, env=environ, timeout=280)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("\n== recipes/slow.sh\n") and "[sizes-below-max-num-seqs]" in done.stdout
