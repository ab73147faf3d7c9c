"""The command ``verl-rocm``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from verl_rocm.check import register

app = typer.Typer(add_completion=False, no_args_is_help=False, rich_markup_mode=None, pretty_exceptions_enable=False)
OVERRIDES = {"ignore_unknown_options": True}


@app.callback()
def _root() -> None:
    """What verl and vLLM will do on an AMD GPU."""


@app.command("dry-run", context_settings=OVERRIDES)
def dry_run(
    overrides: Annotated[list[str] | None, typer.Argument(help="verl overrides, as for verl.trainer.main_ppo")] = None,
    gpu: Annotated[str, typer.Option(help="an AMD GPU, such as MI300X; several with commas")] = "MI300X",
    gpus: Annotated[int, typer.Option(min=1, help="GPUs of a node")] = 8,
    nodes: Annotated[int | None, typer.Option(min=1, help="nodes; left out: as many as the job asks for")] = None,
    model: Annotated[
        str | None, typer.Option(help="a directory, a bundled name, or a hub name, instead of the job's")
    ] = None,
    models: Annotated[bool, typer.Option("--models", help="list the bundled models, and stop")] = False,
    rocm: Annotated[str | None, typer.Option(help="ROCm release, for known issues that depend on it")] = None,
    vllm: Annotated[str | None, typer.Option(help="vLLM release: 0.24.0, 0.30.0 or 0.32.0")] = None,
    script: Annotated[
        Path | None, typer.Option(help="a launch script of verl; overrides then are its arguments")
    ] = None,
    trust_script: Annotated[
        bool, typer.Option(help="run --script even where this system cannot keep it from writing and the network")
    ] = False,
    compare: Annotated[str | None, typer.Option(help="MI300X,MI355X or vllm=0.24.0,0.30.0: only what differs")] = None,
    json_: Annotated[bool, typer.Option("--json", help="machine-readable")] = False,
    every: Annotated[bool, typer.Option("--all", help="show arguments that nobody touched as well")] = False,
) -> None:
    """Resolve a verl job as a named AMD GPU, without one. Exit code: 0 clean, 1 findings, 2 bad input."""
    from verl_rocm.dryrun import command as dryrun

    asked = dryrun.Asked(
        overrides=overrides or [],
        gpus=gpu.split(","),
        count=gpus,
        nodes=nodes,
        model=model,
        rocm=rocm,
        vllm=vllm,
        script=script,
        compare=compare,
        trust=trust_script,
    )
    raise typer.Exit(dryrun.list_models() if models else dryrun.run(asked, as_json=json_, every=every))


register(app)  # the command `check`


def main(arguments: list[str] | None = None) -> int:
    """Run the command; bad usage is one line and code 2."""
    try:
        done = app(args=arguments, standalone_mode=False, prog_name="verl-rocm")
    except (typer.Abort, KeyboardInterrupt):
        print("verl-rocm: interrupted", file=sys.stderr)
        return 2
    except Exception as error:
        said = getattr(error, "format_message", None)  # a usage error, whichever click Typer brings
        if said is None:
            raise
        text = " ".join(str(said()).split())
        given = (sys.argv[1:] if arguments is None else arguments)[:1]
        known = [command.name for command in app.registered_commands]
        command = " ".join(["verl-rocm", *(word for word in given if word in known)])
        print(f"verl-rocm: {text.rstrip('.')}; {command} --help lists the options", file=sys.stderr)
        return 2
    return int(done or 0)
