"""The time of a step of a verl job: the rollout from its schedule, the training passes from their operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from verl_rocm.facts.base import Facts
from verl_rocm.facts.efficiencies import Calibration
from verl_rocm.facts.load import load
from verl_rocm.schedule.lengths import Lengths, place
from verl_rocm.schedule.model import Limits, Request, ScheduleError
from verl_rocm.schedule.scheduler import simulate
from verl_rocm.schedule.summary import Summary, summarise
from verl_rocm.work.forward import Split, training_operations
from verl_rocm.work.shape import Shape

from .calibration import CalibrationError, Used, choose
from .rates import MATRIX, Calibrated, Range, calibrate, peak
from .rollout import work_of

# Forward passes a token of each phase: a backward pass counts as two.
PASSES = {"old_log_prob": 1.0, "ref": 1.0, "update_actor": 3.0}
RECOMPUTED = 1.0  # one more forward pass of the update with gradient checkpointing


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class ResolvedJob(_Model):
    """What the estimate reads of a resolved job.

    ``sizes`` are vLLM's captured batch sizes, empty for eager mode; ``gpus`` are all of the job; ``reference`` and
    ``checkpointing`` say whether verl runs a reference model and recomputes activations.
    """

    shape: Shape
    split: Split
    limits: Limits
    dtype: Literal["bf16", "fp16", "fp8"] = "bf16"
    training_dtype: Literal["bf16", "fp16"] = "bf16"
    replicas: int = Field(ge=1)
    gpus: int = Field(ge=1)
    samples: int = Field(ge=1)
    prompt_tokens: int = Field(ge=1)
    sizes: tuple[int, ...] = ()
    reference: bool = True
    checkpointing: bool = True


class Phase(_Model):
    """One phase: seconds, tokens of the responses a second and GPU at either end, and what takes longest in it."""

    name: str
    seconds: Range
    tokens_a_second_and_gpu: tuple[float | None, float]
    bound: str


class StepEstimate(_Model):
    """An estimate, never a measurement; every calibrated value in it is named in ``used``."""

    gpu: str
    phases: tuple[Phase, ...]
    step: Range
    rollout: Summary
    responses: int
    response_tokens: int
    lengths: str
    used: tuple[Used, ...]
    notes: tuple[str, ...]


def estimate(
    resolved: ResolvedJob, lengths: Lengths, gpu: str, calibration: Sequence[Calibration], facts: Facts | None = None
) -> StepEstimate:
    """Seconds of one step of the job on GPUs of that name.

    Raises:
        ScheduleError: lengths that the job does not allow.
        CalibrationError: a figure of the GPU, or a value for it, is missing.
    """
    facts = facts or load()
    if gpu not in facts.gpus:
        raise CalibrationError(f"GPU {gpu!r} is not known; known are {', '.join(facts.gpus)}")
    if len(lengths.responses) % resolved.samples:
        raise ScheduleError(
            f"{len(lengths.responses)} lengths are no multiple of {resolved.samples} samples a prompt; give all of them"
        )
    rates = calibrate(gpu, resolved.split.tensor_parallel, resolved.dtype, facts, calibration)
    requests = lengths.requests(resolved.prompt_tokens, resolved.samples)
    rollout, summary = _rollout(resolved, requests, rates)
    tokens = sum(lengths.responses)
    training, used, notes = _training(resolved, lengths, gpu, facts, calibration)
    phases = tuple(
        Phase(
            name=name,
            seconds=seconds,
            tokens_a_second_and_gpu=_speed(tokens, resolved.gpus, seconds),
            bound=bound,
        )
        for name, seconds, bound in (rollout, *training)
    )
    step = sum((phase.seconds for phase in phases), Range(low=0.0, high=0.0))
    if summary.no_graph_steps:
        share = f"{summary.no_graph_steps:.0%} of the decode steps find no graph"
        notes = (*notes, f"{share}; launches without one are not calibrated and not in the estimate")
    return StepEstimate(
        gpu=gpu,
        phases=phases,
        step=step,
        rollout=summary,
        responses=len(requests),
        response_tokens=tokens,
        lengths=lengths.source,
        used=tuple(dict.fromkeys((*rates.used, *used))),
        notes=notes,
    )


def _rollout(
    resolved: ResolvedJob, requests: Sequence[Request], rates: Calibrated
) -> tuple[tuple[str, Range, str], Summary]:
    """Seconds until the last replica is done, and what its steps were like."""
    schedules = [simulate(part, resolved.limits) for part in place(requests, resolved.replicas) if part]
    passes = [
        [(span, work_of(span, resolved.shape, resolved.split, resolved.sizes)) for span in s.spans] for s in schedules
    ]
    ends = []
    for rate in (rates.fast, rates.slow):
        ends.append(max(sum(span.steps * rate.parts(work).total for span, work in part) for part in passes))
    bounds: Counter[str] = Counter()
    seconds: dict[int, float] = {}
    for span, work in (pair for part in passes for pair in part):
        parts = rates.slow.parts(work)
        seconds[id(span)] = span.steps * parts.total
        bounds[parts.bound] += round(seconds[id(span)] * 1e9)  # nanoseconds, whole ones so that a counter holds them
    summary = summarise(schedules, resolved.sizes, lambda span: seconds[id(span)])
    return ("rollout", Range(low=ends[0], high=ends[1]), bounds.most_common(1)[0][0]), summary


def _training(
    resolved: ResolvedJob, lengths: Lengths, gpu: str, facts: Facts, calibration: Sequence[Calibration]
) -> tuple[list[tuple[str, Range, str]], tuple[Used, ...], tuple[str, ...]]:
    """Seconds of the passes over all tokens; where no training is calibrated, products bound them from below."""
    sizes = [resolved.prompt_tokens + tokens for tokens in lengths.responses]
    pairs = sum(size * (size + 1) // 2 for size in sizes)
    flops = peak(facts.gpus[gpu], resolved.training_dtype) * 1e12 * resolved.gpus
    notes: tuple[str, ...] = ()
    try:
        used = choose("training", gpu, facts, calibration)
        most: float | None = used.low
    except CalibrationError:
        used = choose(MATRIX[resolved.training_dtype], gpu, facts, calibration)
        most = None
        notes = (f"no training of the {gpu} is calibrated: its phases take at least what their products need",)
    phases = []
    for name, passes in PASSES.items():
        if name == "ref" and not resolved.reference:
            continue
        again = RECOMPUTED if name == "update_actor" and resolved.checkpointing else 0.0
        operations = training_operations(resolved.shape, sum(sizes), pairs, passes + again)
        seconds = Range(low=operations / flops / used.high, high=None if most is None else operations / flops / most)
        phases.append((name, seconds, "matrix"))
    return phases, (used,), notes


def _speed(tokens: int, gpus: int, seconds: Range) -> tuple[float | None, float]:
    """Slowest and fastest; a phase without an upper end has no slowest."""
    slow = None if seconds.high is None else tokens / gpus / seconds.high
    return slow, tokens / gpus / seconds.low
