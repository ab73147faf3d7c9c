"""The README of the facts names the fields that the models have, and its examples load."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from verl_rocm.facts import schema

README = (Path(schema.__file__).parent / "README.md").read_text(encoding="utf-8")
MODELS: dict[str, type[BaseModel]] = {"setting": schema.Setting, "issue": schema.Issue, "image": schema.Image}


@pytest.mark.parametrize("kind", MODELS)
def test_the_table_has_the_fields_of_the_model(kind: str) -> None:
    """Fails when a field is added, renamed or removed in `schema.py` alone."""
    section = README.partition(f"## Fields of a{'n' if kind != 'setting' else ''} {kind}\n")[2].partition("\n## ")[0]
    names = {name for line in section.splitlines() for name in re.findall(r"`([^`]+)`", ([*line.split("|"), ""])[1])}
    fields = {word for name in names for word in name.split()}
    assert fields == set(MODELS[kind].model_fields)


def test_the_examples_load() -> None:
    entries = tomllib.loads(README.partition("```toml\n")[2].partition("```")[0])
    schema.Setting.model_validate(entries["setting"][0])
    issue = schema.Issue.model_validate(entries["issue"][0])
    assert issue.applies_when.sleep is True
    assert issue.fixes[1].settings == {"actor_rollout_ref.rollout.free_cache_engine": False}
