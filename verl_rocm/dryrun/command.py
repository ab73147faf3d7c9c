"""The command ``dry-run``."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from .jobs import Question
    from .report import DryRun

OVERRIDES = {"ignore_unknown_options": True}
ANSWER = "what verl and vLLM make of it"


class Format(StrEnum):
    """How the report is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


def list_models() -> int:
    """Print the bundled models."""
    from verl_rocm import models

    for entry in models.bundled().values():
        print(entry["name"] if "context" in entry else f"{entry['name']}  ({models.NO_SOURCE})")
    return 0


def fail(message: str, form: Format, file: str = "") -> int:
    """Bad input as an error and a hint; code 2."""
    from . import formats
    from .report import Failure

    reason, _, hint = message.partition(": ")
    match form:
        case Format.JSON:
            print(Failure(error=reason, hint=hint).model_dump_json())
        case Format.GITHUB:
            print(formats.annotation("error", file, "no dry run", message))
        case Format.MARKDOWN:
            print(f"- **error**: {reason}" + (f"\n  - hint: {hint}" if hint else ""))
        case Format.TEXT:
            print(f"error: {reason}" + (f"\nhint: {hint}" if hint else ""), file=sys.stderr)
    return 2


def run(question: Question, form: Format, every: bool) -> int:
    """Print the answer; 0 clean, 1 findings, 2 bad input or a refusal."""
    from . import engines, resolve
    from .jobs import BadInput
    from .script import run as script

    names: tuple[str, ...] = ()
    try:
        if question.compare:
            names, answer = resolve.compared(question)
        else:
            answer = resolve.dry_run(question)
    except (BadInput, script.ScriptProblem, engines.EngineProblem) as problem:
        return fail(str(problem), form, str(question.script or ""))
    show(names, answer, form, every, str(question.script or ""))
    return answer.exit_code


def show(names: tuple[str, ...], answer: DryRun, form: Format, every: bool, file: str = "") -> None:
    """Print in the wished form; refusals of every job go to standard error."""
    from verl_rocm.render import console

    from . import formats, render
    from .report import RefusedJob

    if form is Format.JSON:
        print(answer.model_dump_json(indent=1))
    elif form is Format.MARKDOWN:
        print(formats.markdown(answer))
    elif form is Format.GITHUB:
        print(formats.log(answer, file))
    elif len(refused := [report for report in answer.reports if isinstance(report, RefusedJob)]) == len(answer.reports):
        render.print_refusal(console(sys.stderr), refused, answer.versions)
    elif names:
        render.print_comparison(console(), names, answer)
    else:
        out = console()
        for number, report in enumerate(answer.reports):
            if number:
                out.print()
            if isinstance(report, RefusedJob):
                render.print_refusal(out, [report], answer.versions)
            else:
                render.print_report(out, report, answer.versions, every)


def register(app: typer.Typer) -> None:
    """Add the command ``dry-run`` to ``app``."""

    @app.command("dry-run", context_settings=OVERRIDES)
    def dry_run(
        overrides: Annotated[list[str] | None, typer.Argument(help="Overrides, as for verl.trainer.main_ppo.")] = None,
        gpu: Annotated[str, typer.Option(help="An AMD GPU, such as MI300X; several with commas.")] = "MI300X",
        gpus: Annotated[int, typer.Option(min=1, help="GPUs of a node.")] = 8,
        nodes: Annotated[int | None, typer.Option(min=1, help="Nodes; left out: as many as the job asks for.")] = None,
        model: Annotated[
            str | None, typer.Option(help="A directory, a bundled name or a hub name, instead of the job's model.")
        ] = None,
        models: Annotated[bool, typer.Option("--models", help="List the bundled models, and stop.")] = False,
        rocm: Annotated[str | None, typer.Option(help="ROCm release, for known issues that depend on it.")] = None,
        vllm: Annotated[str | None, typer.Option(help="vLLM release: 0.24.0, 0.30.0 or 0.32.0.")] = None,
        script: Annotated[
            Path | None, typer.Option(help="A launch script of verl; overrides then are its arguments.")
        ] = None,
        trust_script: Annotated[
            bool, typer.Option(help="Run --script even where this system cannot keep it from writing and the network.")
        ] = False,
        compare: Annotated[
            str | None, typer.Option(help="MI300X,MI355X or vllm=0.24.0,0.30.0: print only what differs.")
        ] = None,
        form: Annotated[Format, typer.Option("--format", help="How to print the report.")] = Format.TEXT,
        json_: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
        every: Annotated[bool, typer.Option("--all", help="Show settings that nobody touched, and variables.")] = False,
    ) -> None:
        """Resolve a verl job as a named AMD GPU, without one. Exit code: 0 clean, 1 findings, 2 bad input."""
        from .jobs import Question

        if models:
            raise typer.Exit(list_models())
        question = Question(
            overrides=tuple(overrides or ()),
            gpus=tuple(gpu.split(",")),
            count=gpus,
            nodes=nodes,
            model=model,
            rocm=rocm,
            vllm=vllm,
            script=script,
            compare=compare,
            trust=trust_script,
        )
        raise typer.Exit(run(question, Format.JSON if json_ else form, every))
