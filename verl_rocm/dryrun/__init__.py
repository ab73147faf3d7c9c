"""``verl-rocm dry-run``: what verl and vLLM make of a job on a named AMD GPU, without one.

A request makes eight stops, each in a module of its own::

    command   the command line becomes a Question
    jobs      the Question becomes launches, and each launch a Request for each GPU
    engines   the Requests go to a child process of the interpreter that holds vLLM
    worker    the child answers each in a fork: verl composes, vLLM resolves
    findings  what of the answer a user should know
    issues    which known issues the answer meets
    resolve   answer, findings and issues become a Report
    render    the Report becomes text (formats: Markdown, GitHub; JSON is its dump)
"""

import typer

from verl_rocm.dryrun import build, command, gate


def register(app: typer.Typer) -> None:
    """Add the commands of a dry run to ``app``."""
    command.register(app)
    build.register(app)
    gate.register(app)


__all__ = ["register"]
