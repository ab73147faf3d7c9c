"""Work to seconds on one GPU: the slower of memory and matrix cores, then the all-reduces and the rest of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from verl_rocm.facts.base import Facts
from verl_rocm.facts.efficiencies import Calibration, Quantity
from verl_rocm.facts.schema import Gpu, Unknown
from verl_rocm.work.forward import Work

from .calibration import CalibrationError, Used, choose

MATRIX: Mapping[str, Quantity] = {"bf16": "matrix_bf16", "fp16": "matrix_fp16", "fp8": "matrix_fp8"}


class Range(BaseModel):
    """Seconds, the least and the most; ``high`` None where nothing bounds it from above."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float | None

    def __add__(self, other: Range) -> Range:
        return Range(low=self.low + other.low, high=_both(self.high, other.high))

    def __mul__(self, times: float) -> Range:
        return Range(low=self.low * times, high=None if self.high is None else self.high * times)


def _both(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True)
class Parts:
    """Seconds of one forward pass by what takes them."""

    weights: float
    kv_cache: float
    matrix: float
    collectives: float
    rest: float

    @property
    def total(self) -> float:
        """Weights are read while the matrix cores work; attention, all-reduces and the rest follow each other."""
        return max(self.weights, self.matrix) + self.kv_cache + self.collectives + self.rest

    @property
    def bound(self) -> str:
        """What takes longest."""
        parts = {name: getattr(self, name) for name in ("weights", "kv_cache", "matrix", "collectives", "rest")}
        return max(parts, key=lambda name: parts[name])


def peak(gpu: Gpu, field: str) -> float:
    """A peak of the GPU's facts.

    Raises:
        CalibrationError: no source confirms it, or the GPU does not have it.
    """
    value = getattr(gpu.matrix_tflops, field) if hasattr(gpu.matrix_tflops, field) else getattr(gpu, field)
    if isinstance(value, Unknown):
        raise CalibrationError(f"{field} of the {gpu.name} is not known ({value.unknown}); no time can be estimated")
    if value == "none":
        raise CalibrationError(f"the {gpu.name} has no {field}; choose another type or GPU")
    return float(value)


@dataclass(frozen=True)
class Rates:
    """What one GPU reaches, fast or slow: bytes and operations a second, and seconds."""

    memory: float
    matrix: float
    link: float
    reduction: float
    rest: float
    ways: int

    def parts(self, work: Work) -> Parts:
        """Seconds of a pass; an all-reduce over a full mesh sends two parts in ``ways`` of its bytes on every link."""
        sent = 2 * work.reduced_bytes / self.ways / self.link if work.reductions else 0.0
        return Parts(
            weights=work.weight_bytes / self.memory,
            kv_cache=work.kv_bytes / self.memory,
            matrix=work.operations / self.matrix,
            collectives=sent + work.reductions * self.reduction,
            rest=self.rest,
        )


@dataclass(frozen=True)
class Calibrated:
    """Both ends for one GPU, and the values that they are made of."""

    fast: Rates
    slow: Rates
    used: tuple[Used, ...]

    def seconds(self, work: Work) -> Range:
        """The range of a pass."""
        return Range(low=self.fast.parts(work).total, high=self.slow.parts(work).total)


def calibrate(name: str, ways: int, dtype: str, facts: Facts, calibrations: Sequence[Calibration]) -> Calibrated:
    """Rates of ``ways`` GPUs of that name that share a model, with products in ``dtype``.

    Raises:
        CalibrationError: a peak or a value that the estimate needs is missing.
    """
    if dtype not in MATRIX:
        raise CalibrationError(f"products in {dtype!r} are not modelled; known are {', '.join(MATRIX)}")
    gpu = facts.gpus[name]
    values = {q: choose(q, name, facts, calibrations) for q in ("memory", MATRIX[dtype], "step_ms")}
    if ways > 1:
        values |= {q: choose(q, name, facts, calibrations) for q in ("link", "reduction_us")}
    memory = peak(gpu, "bandwidth_tbs") * 1e12
    matrix = peak(gpu, dtype) * 1e12
    link = peak(gpu, "link_gbs") * 1e9 if ways > 1 else 1.0

    def rates(share: str, time: str) -> Rates:
        value = {name: getattr(used, share) for name, used in values.items()}
        times = {name: getattr(used, time) for name, used in values.items()}
        return Rates(
            memory=memory * value["memory"],
            matrix=matrix * value[MATRIX[dtype]],
            link=link * value.get("link", 1.0),
            reduction=times.get("reduction_us", 0.0) * 1e-6,
            rest=times["step_ms"] * 1e-3,
            ways=ways,
        )

    return Calibrated(fast=rates("high", "low"), slow=rates("low", "high"), used=tuple(values.values()))
