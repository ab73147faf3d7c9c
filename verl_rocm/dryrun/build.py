"""The command ``engine``: an environment for dry runs, below the user's cache."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from verl_rocm.environments import DEFAULT_ENGINE


def build(release: str) -> int:
    """Build one engine, and print its interpreter; 2 if that cannot be."""
    from verl_rocm.environments import EnvironmentProblem

    from . import engines

    try:
        if release not in engines.SUPPORTED:
            raise EnvironmentProblem(f"vLLM {release} is not supported: supported are {', '.join(engines.SUPPORTED)}")
        print(engines.existing(release) or engines.store().engine(release))
    except EnvironmentProblem as problem:
        reason, _, hint = str(problem).partition(": ")
        print(f"error: {reason}" + (f"\nhint: {hint}" if hint else ""), file=sys.stderr)
        return 2
    return 0


def register(app: typer.Typer) -> None:
    """Add the command ``engine`` to ``app``."""

    @app.command("engine")
    def engine(
        release: Annotated[str, typer.Argument(help="vLLM release: 0.24.0, 0.30.0 or 0.32.0.")] = DEFAULT_ENGINE,
    ) -> None:
        """Build what a dry run needs: vLLM and verl for the CPU, about 4 GB below ~/.cache/verl-rocm, in minutes.

        Nothing is built where this Python, VERL_ROCM_ENGINES or the cache has that release. Prints its interpreter.
        """
        raise typer.Exit(build(release))
