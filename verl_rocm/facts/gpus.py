"""Models of ``gpus.toml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from .evidence import Day, Positive, Proof, Record, Text


class Unknown(Record):
    """A figure that no source confirms, and why."""

    unknown: Text


def _kind(value: object) -> str:
    """Which form of a figure is meant, so that a fault in it is told of that form alone."""
    return "_reason" if isinstance(value, dict | Unknown) else "_none" if isinstance(value, str) else "_figure"


_Reason = Annotated[Unknown, Tag("_reason")]
_NoFigure = Annotated[Literal["none"], Tag("_none")]
_Amount = Annotated[Annotated[float, Field(gt=0)], Tag("_figure")]
_Count = Annotated[Positive, Tag("_figure")]
_Modes = Annotated[list[Literal["SPX", "DPX", "TPX", "QPX", "CPX"]], Field(min_length=1), Tag("_figure")]
Amount = Annotated[_Amount | _NoFigure | _Reason, Discriminator(_kind)]
Count = Annotated[_Count | _NoFigure | _Reason, Discriminator(_kind)]


class MatrixPeaks(Record):
    """Dense peak of the matrix cores by type of the operands, TFLOP/s; ``none`` where they do not have the type."""

    fp32: Amount
    fp16: Amount
    bf16: Amount
    fp8: Amount
    fp6: Amount
    fp4: Amount


class Gpu(Record):
    """One GPU as ROCm shows it; units stand at the top of ``gpus.toml``. No figure may be left out."""

    name: Text
    arch: Annotated[str, StringConstraints(pattern=r"^gfx[0-9a-f]{3,4}$")]
    memory_gib: Positive
    bandwidth_tbs: Amount
    compute_units: Positive
    fp8: Literal["e4m3fnuz", "e4m3fn", "none"]
    matrix_tflops: MatrixPeaks
    infinity_cache_mib: Count
    links: Count
    link_gbs: Amount
    host_gbs: Amount
    partition_modes: Annotated[_Modes | _Reason, Discriminator(_kind)]
    board_watts: Count
    pci: Annotated[list[Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{4}$")]], Field(min_length=1)]
    evidence: Proof
    checked: Day

    @model_validator(mode="after")
    def _one_fp8(self) -> Gpu:
        if (self.fp8 == "none") != (self.matrix_tflops.fp8 == "none"):
            raise ValueError(f"fp8 is {self.fp8!r} and matrix_tflops.fp8 {self.matrix_tflops.fp8!r}; make them agree")
        return self
