"""The gate's page: its files say what the action, the hook and the command really have."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from verl_rocm.cli import main

ROOT = Path(__file__).resolve().parents[3]
SNIPPETS = ROOT / "snippets" / "how_to"


@pytest.mark.block("how_to/gate_your_recipes.yml", "workflow", evidence="checked")
def test_the_workflow_names_inputs_that_the_action_has() -> None:
    (job,) = yaml.safe_load((SNIPPETS / "gate_your_recipes.yml").read_text())["jobs"].values()
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    *_, step = job["steps"]
    assert set(step["with"]) <= set(inputs)
    assert {name for name, entry in inputs.items() if entry.get("required")} <= set(step["with"])


@pytest.mark.block("how_to/gate_your_recipes_hook.yml", "hook", evidence="checked")
def test_the_hook_is_there_and_takes_these_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    (repository,) = yaml.safe_load((SNIPPETS / "gate_your_recipes_hook.yml").read_text())["repos"]
    (hook,) = repository["hooks"]
    (offered,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["id"] == offered["id"]
    assert main(["gate", "--help"]) == 0
    options = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    assert {word for word in hook["args"] if word.startswith("--")} <= options


@pytest.mark.block("how_to/gate_your_recipes.sh", "gate", evidence="checked")
def test_the_commands_have_these_options(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in (SNIPPETS / "gate_your_recipes.sh").read_text().splitlines() if "verl-rocm " in line[:10]]
    commands = [shlex.split(line, comments=True) for line in lines]
    assert [command[1] for command in commands] == ["engine", "gate"]
    for command in commands:
        assert main([command[1], "--help"]) == 0
        options = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
        assert {word for word in command if word.startswith("--")} <= options
