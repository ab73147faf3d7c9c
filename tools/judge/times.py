"""The time that the cost model predicts, beside public benchmarks of vLLM."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean

from pydantic import BaseModel

from tools.judge.rows import half
from tools.judge.verdicts import Verdict, coverage, errors, spread
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

    id: str
    source: str
    gpu: str | None = None
    model: str | None = None
    input: int | None = None
    output: int | None = None
    concurrency: int | None = None
    mean_tpot_ms: float | None = None
    output_tok_s: float | None = None
    req_s_8xTP1: dict[str, float] | None = None


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


def predicted(row: Row, side: str) -> list[Verdict] | str:
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
        return list(_served(row, side, model, rates))
    if row.req_s_8xTP1 and row.output:
        verdicts = list(_instances(row, side, model, rates))
        bound = list(_instances(row, side, model, _peaks(gpu, rates)))
        if any((v.logged or 0) > (b.high or 0) for v, b in zip(verdicts, bound, strict=True)):
            return "it is faster than the GPU's peak bandwidth allows, so that something of it is not as stated"
        return verdicts
    return "it names no batch, prompt and response together"


def _peaks(gpu: str, rates: Calibrated) -> Calibrated:
    """Rates that no kernel can exceed: the vendor's peaks, and nothing beside memory and matrix cores."""
    facts = load().gpus[gpu]
    memory, matrix = peak(facts, "bandwidth_tbs") * 1e12, peak(facts, "bf16") * 1e12
    end = replace(rates.fast, memory=memory, matrix=matrix, rest=0.0, reduction=0.0)
    return Calibrated(end, end, ())


def _served(row: Row, side: str, model: Shape, rates: Calibrated) -> Iterator[Verdict]:
    """vLLM's own benchmark: as many requests at once as ``concurrency``, the next when one is done."""
    prompt, answer = row.input or 1, row.output or 1
    limits = Limits(row.concurrency or 1, 8192, 16384, 60_000)
    schedule = simulate([Request(number, prompt, answer) for number in range(REQUESTS)], limits)
    low, high = _both(
        schedule, model, rates, lambda sec: 1e3 * fmean((z - a) / (answer - 1) for _, a, z in ends(schedule, sec))
    )
    yield _verdict(row, side, "time a token", "ms", row.mean_tpot_ms or 0.0, (low, high))
    if row.output_tok_s:
        low, high = _both(schedule, model, rates, partial(_rate, schedule, REQUESTS * answer))
        yield _verdict(row, side, "throughput", "tokens/s", row.output_tok_s, (low, high))


def _instances(row: Row, side: str, model: Shape, rates: Calibrated) -> Iterator[Verdict]:
    """Eight engines with one GPU each and one prompt for all (6000 characters, about 1500 tokens)."""
    for at_once, measured in (row.req_s_8xTP1 or {}).items():
        slots = int(at_once) // 8
        limits = Limits(slots, 8192, 16384, 60_000)
        schedule = simulate([Request(0, 1500, row.output or 1)] * (slots * 10), limits)
        low, high = _both(schedule, model, rates, partial(_rate, schedule, 8 * slots * 10))
        yield _verdict(row, side, f"throughput at {at_once}", "requests/s", measured, (low, high))


def _rate(schedule: Schedule, requests: int, seconds: Callable[[Span], float]) -> float:
    return requests / total(schedule, seconds)


def _verdict(row: Row, side: str, quantity: str, unit: str, logged: float, limits: tuple[float, float]) -> Verdict:
    """A range, whose middle stands for it where one figure is needed."""
    low, high = limits
    return Verdict(row.id, row.source, side, quantity, unit, logged, (low + high) / 2, low, high)


def judged(rows: Sequence[Row]) -> list[Verdict]:
    """All rows, each with its figures or with the reason why it has none."""
    verdicts = []
    for number, row in enumerate(rows, start=1):
        side = half(number)
        result = predicted(row, side)
        verdicts += [Verdict(row.id, row.source, side, why=result)] if isinstance(result, str) else result
    return verdicts


def summary(verdicts: Sequence[Verdict]) -> str:
    """Figures inside their range, and errors of its middle without their sign, a half."""
    parts = []
    for side, purpose in (("odd", "fitted on"), ("even", "judged by")):
        of_side = [verdict for verdict in verdicts if verdict.half == side and verdict.predicted is not None]
        inside = sum(verdict.inside for verdict in of_side)
        error = spread(list(errors(of_side, {verdict.quantity for verdict in of_side}, side)))
        parts.append(f"{side} ({purpose}): {inside} of {len(of_side)} figures inside the range, {error}")
    return f"time: {coverage(verdicts)}; {'; '.join(parts)}"
