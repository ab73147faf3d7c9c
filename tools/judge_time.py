"""Compare predicted times with public figures: ``python -m tools.judge_time ROWS`` reads ``ROWS/micro.jsonl``.

Odd lines were open to fitting, even lines judge; both halves are printed, misses and rows without a prediction too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict, ValidationError

from verl_rocm.facts.efficiencies import calibrations
from verl_rocm.facts.load import load
from verl_rocm.facts.releases import HERE
from verl_rocm.schedule.model import Limits, Request, Schedule, Span
from verl_rocm.schedule.scheduler import simulate
from verl_rocm.timing.calibration import CalibrationError
from verl_rocm.timing.rates import Calibrated, Rates, calibrate, peak
from verl_rocm.timing.rollout import ends, total, work_of
from verl_rocm.work.forward import Split
from verl_rocm.work.shape import Shape

SIZES = (1, 2, 4, *range(8, 257, 8))  # vLLM's default sizes up to its default number of sequences
REQUESTS = 100  # of the recipes' benchmark, as vllm-project/recipes#431 and #476 print it
# Models of the rows with the shape of a bundled one, or with their own.
BUNDLED = {"Qwen3Guard-Gen-8B": "Qwen3-8B", "Llama-3.1-8B bf16": "Llama-3.1-8B-Instruct"}
# Defaults of transformers' Ministral3Config, which are those of Ministral-3-8B-Base-2512; the encoder is left out.
OWN = {"Ministral-3-8B-Reasoning-2512": Shape(34, 4096, 14336, 32, 8, 128, 131072, tied=False)}


class Row(BaseModel):
    """What the judge reads of a row; the rest of it is ignored."""

    model_config = ConfigDict(extra="ignore")

    id: str
    gpu: str | None = None
    model: str | None = None
    input: int | None = None
    output: int | None = None
    concurrency: int | None = None
    mean_tpot_ms: float | None = None
    output_tok_s: float | None = None
    req_s_8xTP1: dict[str, float] | None = None


@dataclass(frozen=True)
class Verdict:
    """One figure of a row: predicted from ``low`` to ``high``, and what was measured."""

    row: str
    figure: str
    low: float
    high: float
    measured: float

    @property
    def inside(self) -> bool:
        """The range holds the measured figure."""
        return self.low <= self.measured <= self.high

    @property
    def error(self) -> float:
        """Of the middle of the range, relative to the measured figure."""
        return abs((self.low + self.high) / 2 - self.measured) / self.measured


def shape(model: str | None) -> Shape | None:
    """The shape of a row's model; None if nobody knows it."""
    if model in BUNDLED:
        name = BUNDLED[model]
        return Shape.of(json.loads((HERE / "models" / f"{name}.json").read_text(encoding="utf-8"))["config"], name)
    return OWN.get(model or "")


def _both(
    schedule: Schedule, model: Shape, rates: Calibrated, figure: Callable[[Callable[[Span], float]], float]
) -> tuple[float, float]:
    """A figure at both ends, smaller first."""
    work = {id(span): work_of(span, model, Split(), SIZES) for span in schedule.spans}

    def at(end: Rates) -> float:
        return figure(lambda span: end.parts(work[id(span)]).total)

    one, other = at(rates.fast), at(rates.slow)
    return min(one, other), max(one, other)


def judge(row: Row) -> list[Verdict] | str:
    """The figures of a row, or why there is no prediction."""
    model = shape(row.model)
    if model is None:
        return f"the shape of {row.model or 'its model'} is not known to the work layer"
    gpu = next((name for name in load().gpus if name in (row.gpu or "").split()), None)
    if gpu is None:
        return f"{row.gpu or 'no GPU'} is not a GPU of the guide"
    try:
        rates = calibrate(gpu, 1, "bf16", load(), calibrations())
    except CalibrationError as error:
        return str(error)
    if row.mean_tpot_ms and row.input and row.output and row.concurrency:
        return list(_served(row, model, rates))
    if row.req_s_8xTP1 and row.output:
        verdicts = list(_instances(row, model, rates))
        bound = list(_instances(row, model, _peaks(gpu, rates)))
        if any(v.measured > b.high for v, b in zip(verdicts, bound, strict=True)):
            return "it is faster than the GPU's peak bandwidth allows, so that something of it is not as stated"
        return verdicts
    return "it names no batch, prompt and response together"


def _peaks(gpu: str, rates: Calibrated) -> Calibrated:
    """Rates that no kernel can exceed: the vendor's peaks, and nothing beside memory and matrix cores."""
    facts = load().gpus[gpu]
    memory, matrix = peak(facts, "bandwidth_tbs") * 1e12, peak(facts, "bf16") * 1e12
    end = replace(rates.fast, memory=memory, matrix=matrix, rest=0.0, reduction=0.0)
    return Calibrated(end, end, ())


def _served(row: Row, model: Shape, rates: Calibrated) -> Iterator[Verdict]:
    """vLLM's own benchmark: as many requests at once as ``concurrency``, the next when one is done."""
    prompt, answer = row.input or 1, row.output or 1
    limits = Limits(row.concurrency or 1, 8192, 16384, 60_000)
    schedule = simulate([Request(number, prompt, answer) for number in range(REQUESTS)], limits)
    low, high = _both(
        schedule, model, rates, lambda sec: 1e3 * fmean((z - a) / (answer - 1) for _, a, z in ends(schedule, sec))
    )
    yield Verdict(row.id, "ms a token", low, high, row.mean_tpot_ms or 0.0)
    if row.output_tok_s:
        low, high = _both(schedule, model, rates, partial(_rate, schedule, REQUESTS * answer))
        yield Verdict(row.id, "tokens/s", low, high, row.output_tok_s)


def _instances(row: Row, model: Shape, rates: Calibrated) -> Iterator[Verdict]:
    """Eight engines with one GPU each and one prompt for all (6000 characters, about 1500 tokens)."""
    for at_once, measured in (row.req_s_8xTP1 or {}).items():
        slots = int(at_once) // 8
        limits = Limits(slots, 8192, 16384, 60_000)
        schedule = simulate([Request(0, 1500, row.output or 1)] * (slots * 10), limits)
        low, high = _both(schedule, model, rates, partial(_rate, schedule, 8 * slots * 10))
        yield Verdict(row.id, f"requests/s at {at_once}", low, high, measured)


def _rate(schedule: Schedule, requests: int, seconds: Callable[[Span], float]) -> float:
    return requests / total(schedule, seconds)


def _summary(half: str, verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return f"{half}: no figure can be predicted"
    inside = sum(verdict.inside for verdict in verdicts)
    error = median(verdict.error for verdict in verdicts)
    return f"{half}: {inside} of {len(verdicts)} figures inside the range, median error of its middle {error:.0%}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line a figure or row, and one summary a half."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, help="folder with micro.jsonl")
    path = parser.parse_args(arguments).rows / "micro.jsonl"
    halves: dict[str, list[Verdict]] = {"odd": [], "even": []}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        print(f"{path}: cannot be read ({error.__class__.__name__}); name the folder of the rows", file=sys.stderr)
        return 2
    for number, line in enumerate(lines, start=1):
        try:
            row = Row.model_validate_json(line)
        except ValidationError as error:
            print(f"{path}:{number}: no row ({error.errors()[0]['msg']}); correct the line", file=sys.stderr)
            return 2
        result = judge(row)
        if isinstance(result, str):
            print(f"{number:>3} {row.id}: no prediction, {result}")
            continue
        halves["odd" if number % 2 else "even"] += result
        for v in result:
            mark = "inside" if v.inside else "MISS"
            print(f"{number:>3} {v.row}: {v.figure} {v.low:.4g} to {v.high:.4g}, measured {v.measured:g}: {mark}")
    print(_summary("odd lines (fitted on)", halves["odd"]))
    print(_summary("even lines (judged by)", halves["even"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
