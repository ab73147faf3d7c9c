"""The gate over several scripts: what counts, what is skipped, what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verl_rocm.dryrun.samples import GPU, report
from verl_rocm.cli import main
from verl_rocm.dryrun import engines, resolve
from verl_rocm.dryrun.jobs import BadInput, Question
from verl_rocm.dryrun.report import DryRun, RefusedJob, Report
from verl_rocm.worker.wire import Kind, Problem

VERSIONS = {"vllm": "0.30.0", "verl": "0.9.1"}
CLEAN = report().model_copy(update={"issues": ()})
BELOW = report(graphs={"sizes": (1,), "max": 1}).model_copy(update={"issues": ()})
REFUSED = RefusedJob(
    gpu=GPU, rocm=None, launcher="x", problems=(Problem(kind=Kind.VERL, stage="verl", message="no such key"),)
)
ANSWERS: dict[str, Report | RefusedJob] = {"clean.sh": CLEAN, "finding.sh": BELOW, "refused.sh": REFUSED}


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts, each of which is answered by its name."""
    for name in [*ANSWERS, "broken.sh"]:
        (tmp_path / name).write_text("python -m verl.trainer.main_ppo a=1\n")
    (tmp_path / "download.sh").write_text("curl http://example.invalid\n")

    def dry_run(question: Question) -> DryRun:
        assert question.script is not None
        if question.script.name == "broken.sh":
            raise BadInput("this launches no trainer: name one")
        return DryRun(versions=VERSIONS, reports=(ANSWERS[question.script.name],))

    monkeypatch.setattr(resolve, "dry_run", dry_run)
    monkeypatch.setattr(engines, "interpreter", lambda version: "python")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "least", "code"),
    [
        (["clean.sh"], "finding", 0),
        (["clean.sh", "finding.sh"], "finding", 1),
        (["clean.sh", "finding.sh"], "refusal", 0),
        (["refused.sh", "finding.sh"], "refusal", 2),
        (["broken.sh", "clean.sh"], "refusal", 2),
        (["nowhere.sh"], "refusal", 2),
        (["download.sh"], "finding", 0),
    ],
)
def test_the_worst_that_counts_is_the_exit_code(scripts: Path, names: list[str], least: str, code: int) -> None:
    assert main(["gate", "--fail-on", least, *names]) == code


def test_a_script_without_verl_is_skipped_and_said(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["gate", "download.sh", "clean.sh"])
    printed = capsys.readouterr()
    assert printed.err == "download.sh: skipped, it names no program of verl\n"
    assert printed.out.startswith("\n== clean.sh\nno finding, and no known issue that this job meets\n")


def test_annotations_name_the_file_and_the_summary_has_all(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["clean.sh", "finding.sh", "refused.sh", "broken.sh"]
    assert main(["gate", "--format", "github", "--summary", "summary.md", *names]) == 2
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]
    assert [line.partition(" on ")[0] for line in lines[:2]] == [
        "::warning file=finding.sh,title=sizes-below-max-num-seqs",
        "::error file=refused.sh,title=refused",
    ]
    assert lines[2:] == ["::error file=broken.sh,title=no dry run::this launches no trainer: name one"]
    summary = (scripts / "summary.md").read_text()
    assert [line for line in summary.splitlines() if line.startswith("## ")] == [f"## {name}" for name in names]
    assert "- **error**: verl refuses this job: no such key" in summary
    assert "- **error**: this launches no trainer: name one" in summary


def test_a_missing_engine_is_said_once(
    scripts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(version: str | None) -> str:
        raise engines.EngineProblem("vLLM and verl are not installed here: build one")

    monkeypatch.setattr(engines, "interpreter", none)
    assert main(["gate", "clean.sh", "finding.sh"]) == 2
    assert capsys.readouterr().err == "error: vLLM and verl are not installed here\nhint: build one\n"
