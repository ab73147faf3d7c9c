"""The command ``gate``: dry-run several launch scripts, for CI and commit hooks."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .command import Format, fail, show
from .jobs import Question

NAMES_A_TRAINER = re.compile(r"\bverl\.\w|\bmain_(ppo|generation)")


class Severity(StrEnum):
    """From what on a gate is closed."""

    FINDING = "finding"
    REFUSAL = "refusal"


def launches(script: Path) -> bool:
    """Whether a script speaks of verl's programs; the helpers beside it do not."""
    return bool(NAMES_A_TRAINER.search(script.read_text(encoding="utf-8", errors="replace")))


def judge(question: Question, form: Format, summary: Path | None) -> int:
    """Dry-run one script and print; its exit code."""
    from . import engines, formats, resolve
    from .jobs import BadInput
    from .script.run import ScriptProblem

    name = str(question.script)
    try:
        answer = resolve.dry_run(question)
    except (BadInput, ScriptProblem, engines.EngineProblem) as problem:
        written, code = f"- **error**: {problem}\n", fail(str(problem), form, name)
    else:
        written, code = formats.markdown(answer), answer.exit_code
        show((), answer, form, False, name)
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write(f"## {name}\n\n{written}\n")
    return code


def gate(questions: list[Question], form: Format, summary: Path | None, least: Severity) -> int:
    """Judge all scripts; the worst exit code of those that count."""
    from . import engines

    try:
        engines.interpreter(questions[0].vllm)
    except engines.EngineProblem as problem:  # once, and not for each script
        return fail(str(problem), form)
    codes = [0]
    for question in questions:
        assert question.script is not None
        if not question.script.is_file():
            codes.append(fail(f"{question.script} is not there: name a launch script", form))
        elif not launches(question.script):
            print(f"{question.script}: skipped, it names no program of verl", file=sys.stderr)
        else:
            if form is Format.TEXT:
                print(f"\n== {question.script}", flush=True)
            codes.append(judge(question, form, summary))
    return max(code for code in codes if code == 2 or code == 0 or least is Severity.FINDING)


def register(app: typer.Typer) -> None:
    """Add the command ``gate`` to ``app``."""

    @app.command("gate")
    def command(
        scripts: Annotated[list[Path], typer.Argument(help="Launch scripts; those that name no verl are skipped.")],
        gpu: Annotated[str, typer.Option(help="An AMD GPU, such as MI300X; several with commas.")] = "MI300X",
        rocm: Annotated[str | None, typer.Option(help="ROCm release, for known issues that depend on it.")] = None,
        vllm: Annotated[str | None, typer.Option(help="vLLM release: 0.24.0, 0.30.0 or 0.32.0.")] = None,
        form: Annotated[Format, typer.Option("--format", help="How to print the reports.")] = Format.TEXT,
        summary: Annotated[Path | None, typer.Option(help="A file to which the reports go as Markdown.")] = None,
        fail_on: Annotated[Severity, typer.Option(help="What closes the gate.")] = Severity.FINDING,
        trust_script: Annotated[
            bool, typer.Option(help="Run scripts even where this system cannot keep them from writing and the network.")
        ] = False,
    ) -> None:
        """Dry-run launch scripts, one after the other. Exit code: the worst of 0 clean, 1 findings, 2 no report."""
        common = Question(gpus=tuple(gpu.split(",")), rocm=rocm, vllm=vllm, trust=trust_script)
        raise typer.Exit(gate([replace(common, script=script) for script in scripts], form, summary, fail_on))
