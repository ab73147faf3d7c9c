"""Calibrations of the cost model: what of a peak was reached, one file a source in ``calibration/time/``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from .base import FactsError
from .evidence import Day, Proof, Record, Text
from .load import read_toml, says
from .releases import HERE

# ``memory``, ``matrix_*`` and ``link`` are shares of the peak in gpus.toml; the others are times.
Quantity = Literal[
    "memory", "matrix_bf16", "matrix_fp16", "matrix_fp8", "link", "training", "step_ms", "reduction_us", "launch_us"
]
SHARES = ("memory", "matrix_bf16", "matrix_fp16", "matrix_fp8", "link", "training")
Positive = Annotated[float, Field(gt=0)]


class Efficiency(Record):
    """One value as a range, for some GPUs, with the conditions under which it was seen."""

    quantity: Quantity
    gpus: Annotated[tuple[Text, ...], Field(min_length=1)]
    low: Positive
    high: Positive
    conditions: Text

    @model_validator(mode="after")
    def _ordered(self) -> Efficiency:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}; exchange them")
        if self.quantity in SHARES and self.high > 1:
            raise ValueError(f"{self.quantity} is a share of a peak, and {self.high:g} is above 1; correct it")
        return self


class Calibration(Record):
    """One source and its values; ``rank`` 0 is a record of the reader's own, which wins."""

    name: Text
    rank: Annotated[int, Field(ge=0)] = 1
    value: Annotated[tuple[Efficiency, ...], Field(min_length=1)]
    evidence: Proof
    checked: Day


def read(path: Path) -> Calibration:
    """The calibration of one file.

    Raises:
        FactsError: one line: the file, what is wrong, what to do.
    """
    shown = f"calibration/time/{path.name}"
    if not path.is_file():
        raise FactsError(f"{path}: no such file; name a calibration, a TOML file")
    try:
        return Calibration.model_validate(read_toml(path, shown))
    except ValidationError as error:
        raise FactsError(f"{shown}: {says(error)}") from None


@lru_cache(maxsize=4)
def calibrations(folder: Path = HERE) -> tuple[Calibration, ...]:
    """All calibrations of the facts.

    Raises:
        FactsError: a file that cannot be used.
    """
    return tuple(read(path) for path in sorted((folder / "calibration" / "time").glob("*.toml")))
