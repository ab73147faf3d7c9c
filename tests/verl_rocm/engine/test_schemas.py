"""What the commands print keeps to the published schemas; here because vLLM brings jsonschema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import JsonValue

from tests.verl_rocm.check.descriptions import FILES
from tests.verl_rocm.dryrun.samples import GPU, report
from verl_rocm import schemas
from verl_rocm.cli import main
from verl_rocm.dryrun.command import Format, fail, show
from verl_rocm.dryrun.report import DryRun, RefusedJob
from verl_rocm.worker.wire import Kind, Problem

LOG = Path(__file__).parents[2] / "support" / "explain" / "job.log"


def published(name: str) -> JsonValue:
    content: JsonValue = json.loads(schemas.file(name).read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("name", schemas.MODELS)
def test_the_files_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(published(name))


def test_a_report_a_refusal_and_a_failure_keep_to_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem(kind=Kind.VERL, stage="verl", message="no")
    refused = RefusedJob(gpu=GPU, rocm=None, launcher="x", problems=(problem,))
    show((), DryRun(versions={"vllm": "0.30.0"}, reports=(report(), refused)), Format.JSON, False)
    whole = json.loads(capsys.readouterr().out)
    fail("GPU 'X' is not known: known are ...", Format.JSON)
    for output in (whole, json.loads(capsys.readouterr().out)):
        jsonschema.validate(output, published("dry-run"))
    whole["reports"][0]["findings"] = "none"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole, published("dry-run"))


@pytest.mark.parametrize("machine", FILES, ids=lambda file: file.stem)
def test_every_check_keeps_to_the_schema(capsys: pytest.CaptureFixture[str], machine: Path) -> None:
    main(["check", "--json", "--machine", str(machine)])
    jsonschema.validate(json.loads(capsys.readouterr().out), published("check"))


def test_what_explain_says_keeps_to_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--json", str(LOG)]) == 1
    output = json.loads(capsys.readouterr().out)
    jsonschema.validate(output, published("explain"))
    output["groups"][0]["entries"] = "none"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(output, published("explain"))
