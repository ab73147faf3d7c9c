"""The command ``explain``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from verl_rocm.explain.source import STDIN, Unusable
from verl_rocm.paste import Target

if TYPE_CHECKING:
    from verl_rocm.facts.base import Facts


def _known_gpu(gpu: str | None, facts: Facts) -> str | None:
    """The name of a GPU as the facts spell it.

    Raises:
        Unusable: the facts do not have it.
    """
    named = next((name for name in facts.gpus if gpu and name.lower() == gpu.strip().lower()), None)
    if gpu is not None and named is None:
        raise Unusable(f"--gpu {gpu!r} is not known; known are {', '.join(facts.gpus)}")
    return named


def run(log: str, target: Target, assumed: dict[str, str], gpu: str | None, as_json: bool) -> int:
    """Explain a log; 0 no known issue matches, 1 one does, 2 the log or an option cannot be used."""
    from verl_rocm import render
    from verl_rocm.explain.read import read
    from verl_rocm.explain.render import print_report
    from verl_rocm.explain.report import build
    from verl_rocm.facts.base import FactsError
    from verl_rocm.facts.load import load
    from verl_rocm.facts.versions import parse

    try:
        facts = load()
        for name, version in assumed.items():
            if parse(version) is None:
                raise Unusable(f"--{name} {version!r} is no version; write it like 0.30.0")
        named = _known_gpu(gpu, facts)
        reading = read(log, facts)
        reading.named.assume(assumed, named, facts)
        report = build(log, reading, facts, target)
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
        vllm: Annotated[str | None, typer.Option(help="the release of vLLM, where the log does not name it")] = None,
        verl: Annotated[str | None, typer.Option(help="the release of verl")] = None,
        rocm: Annotated[str | None, typer.Option(help="the release of ROCm")] = None,
        gpu: Annotated[str | None, typer.Option(help="the GPU, such as MI300X")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    ) -> None:
        """Which known issue does a log show, and what ends it? Exit code: 0 none, 1 at least one, 2 bad input."""
        named = {"vllm": vllm, "verl": verl, "rocm": rocm}
        assumed = {name: version for name, version in named.items() if version is not None}
        raise typer.Exit(run(log, target, assumed, gpu, as_json))
