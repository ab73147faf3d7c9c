"""The command ``sync-check``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def run(path: Path) -> int:
    """Judge a run; 0 rollout and actor agree at every step, 1 they do not, 2 the file does not show it."""
    from .judge import report
    from .metrics import Unusable, newest, read

    try:
        code, lines = report(read(newest(path)))
    except Unusable as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return code


def register(app: typer.Typer) -> None:
    """Add the command ``sync-check`` to ``app``."""

    @app.command("sync-check")
    def sync_check(
        path: Annotated[Path, typer.Argument(metavar="RUN", help="Metrics file, console log or folder of a verl run.")],
    ) -> None:
        """Did each new set of weights reach the rollout? Exit code: 0 yes, 1 no, 2 the file does not show it."""
        raise typer.Exit(run(path))
