"""The published JSON schemas are those of the models; `engine/test_schemas.py` holds the output against them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import write_schemas
from verl_rocm import schemas


@pytest.mark.parametrize("name", schemas.MODELS)
def test_a_model_that_changed_has_its_schema_written_again(name: str) -> None:
    again = "the model changed: run `make schemas`, which asks about the format number"
    assert schemas.file(name).read_text(encoding="utf-8") == schemas.text(name), again


def test_a_change_under_the_same_format_is_not_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schemas, "HERE", tmp_path)
    assert write_schemas.write("dry-run", compatible=False) == "", "the first one"
    changed = schemas.text("dry-run").replace('"launcher"', '"started_with"')
    schemas.file("dry-run").write_text(changed, encoding="utf-8")
    assert "the format is still 2: raise it" in write_schemas.write("dry-run", compatible=False)
    assert schemas.file("dry-run").read_text(encoding="utf-8") == changed
    assert write_schemas.write("dry-run", compatible=True) == ""
    assert schemas.file("dry-run").read_text(encoding="utf-8") == schemas.text("dry-run")
    schemas.file("dry-run").write_text(changed.replace('"const": 2', '"const": 1'), encoding="utf-8")
    assert write_schemas.write("dry-run", compatible=False) == "", "another format"
    assert capsys.readouterr().out.count("dry-run.json, format 2") == 3
