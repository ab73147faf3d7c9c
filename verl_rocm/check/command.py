"""The command ``check``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verl_rocm.check.machine import BadInput, Machine, load

if TYPE_CHECKING:
    from verl_rocm.check.situation import Situation


def situation(machine: Path | None, assumed: dict[str, str | None], gpu: str | None) -> Situation:
    """This machine or a recorded one, with the facts and the versions to assume.

    Raises:
        BadInput: a file, a version or a GPU that cannot be used.
    """
    from verl_rocm.check.probes import probe
    from verl_rocm.check.situation import Situation
    from verl_rocm.facts.base import FactsError
    from verl_rocm.facts.load import load as load_facts
    from verl_rocm.facts.versions import parse

    for name, version in assumed.items():
        if version is not None and parse(version) is None:
            raise BadInput(f"--{name} {version!r} is no version; write it like 0.30.0")
    try:
        facts = load_facts()
    except FactsError as error:
        raise BadInput(str(error)) from None
    named = next((name for name in facts.gpus if gpu and name.lower() == gpu.strip().lower()), None)
    if gpu is not None and named is None:
        raise BadInput(f"--gpu {gpu!r} is not known; known are {', '.join(facts.gpus)}")
    looked_at = {name for issue in facts.issues.values() for name in issue.applies_when.variables()}
    variables = [*(entry.name for entry in facts.settings.values() if entry.where == "env"), *looked_at]
    described: Machine = load(machine) if machine else probe(variables)
    return Situation(described, facts, {n: v for n, v in assumed.items() if v is not None}, named)


def run(machine: Path | None, assumed: dict[str, str | None], gpu: str | None, as_json: bool) -> int:
    """Check and print; 0 clean, 1 findings, 2 bad input."""
    from verl_rocm import render
    from verl_rocm.check import report, rules

    try:
        described = situation(machine, assumed, gpu)
    except BadInput as error:
        print(f"error: {render.clean(str(error))}", file=sys.stderr)
        return 2
    findings = rules.findings(described)
    if as_json:
        print(report.build(described, findings).model_dump_json(indent=2))
    else:
        report.print_report(render.console(), described, findings)
    return int(any(finding.level == "finding" for finding in findings))


def register(app: typer.Typer) -> None:
    """Add the command ``check`` to ``app``."""

    @app.command("check")
    def check(
        as_json: Annotated[bool, typer.Option("--json", help="for programs, with the machine's description")] = False,
        machine: Annotated[Path | None, typer.Option(help="a file written by --json, not this machine")] = None,
        vllm: Annotated[str | None, typer.Option(help="as if this vLLM were installed")] = None,
        verl: Annotated[str | None, typer.Option(help="as if this verl were installed")] = None,
        rocm: Annotated[str | None, typer.Option(help="as if this ROCm were installed")] = None,
        gpu: Annotated[str | None, typer.Option(help="as if the GPU were this one, such as MI300X")] = None,
    ) -> None:
        """Look for known trouble on this machine, in seconds. Exit code: 0 clean, 1 findings, 2 bad input."""
        raise typer.Exit(run(machine, {"vllm": vllm, "verl": verl, "rocm": rocm}, gpu, as_json))
