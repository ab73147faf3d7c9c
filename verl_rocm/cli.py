"""The command ``verl-rocm``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from verl_rocm import check, dryrun, explain, sleepcheck, synccheck

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _versions(wished: bool) -> None:
    if not wished:
        return
    from verl_rocm.about import about

    print("\n".join(about()))
    raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_versions, is_eager=True, help="Versions, and the day of the facts.")
    ] = False,
) -> None:
    """What verl and vLLM will do on an AMD GPU."""


check.register(app)
dryrun.register(app)
explain.register(app)
sleepcheck.register(app)
synccheck.register(app)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; bad usage is one line and code 2."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(args=words or ["--help"], standalone_mode=False, prog_name="verl-rocm")
    except (typer.Abort, KeyboardInterrupt):
        print("verl-rocm: interrupted", file=sys.stderr)
        return 2
    except Exception as error:
        usage = getattr(error, "format_message", None)  # a usage error, whichever click Typer brings
        if usage is None:
            raise
        text = " ".join(str(usage()).split())
        known = [command.name for command in app.registered_commands]
        command = " ".join(["verl-rocm", *(word for word in words[:1] if word in known)])
        print(f"error: {text.rstrip('.')}; {command} --help lists the options", file=sys.stderr)
        return 2
    return int(code or 0)
