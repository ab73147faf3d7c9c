"""The command ``explain``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from verl_rocm.explain.source import STDIN, Unusable
from verl_rocm.paste import Target


def run(log: str, target: Target, as_json: bool) -> int:
    """Explain a log; 0 no known issue matches, 1 one does, 2 the log cannot be read."""
    from verl_rocm import render
    from verl_rocm.explain.read import read
    from verl_rocm.explain.render import print_report
    from verl_rocm.explain.report import build
    from verl_rocm.facts.base import FactsError
    from verl_rocm.facts.load import load

    try:
        facts = load()
        report = build(log, read(log, facts), facts, target)
    except (Unusable, FactsError) as error:
        print(f"error: {render.clean(str(error))}", file=sys.stderr)
        return 2
    if as_json:
        print(report.model_dump_json(indent=2))
    else:
        print_report(render.console(), report)
    return report.exit_code


def register(app: typer.Typer) -> None:
    """Add the command ``explain`` to ``app``."""

    @app.command("explain")
    def explain(
        log: Annotated[str, typer.Argument(metavar="[LOG|-]", help="Log file, also .gz; - is standard input.")] = STDIN,
        target: Annotated[Target, typer.Option(help="where the lines to paste go")] = Target.OVERRIDE,
        as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    ) -> None:
        """Which known issue does a log show, and what ends it? Exit code: 0 none, 1 at least one, 2 bad input."""
        raise typer.Exit(run(log, target, as_json))
