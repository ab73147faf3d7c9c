"""The value of each quantity for one GPU: its own if there is one, else that of a GPU of its arch, and said so."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from verl_rocm.facts.base import Facts
from verl_rocm.facts.efficiencies import Calibration, Quantity


class CalibrationError(Exception):
    """No value for this GPU; one line: what is missing, where, what to do."""


class Used(BaseModel):
    """A calibrated value as the report names it; ``borrowed`` is the GPU that it was seen on, if another one."""

    model_config = ConfigDict(frozen=True)

    quantity: Quantity
    low: float
    high: float
    source: str
    conditions: str
    borrowed: str | None = None


def choose(quantity: Quantity, gpu: str, facts: Facts, calibrations: Sequence[Calibration]) -> Used:
    """The value to use; a lower ``rank`` wins, then the GPU itself, then another of the same arch.

    Raises:
        CalibrationError: no calibration has the quantity for the GPU or its arch.
    """
    arch = facts.gpus[gpu].arch
    candidates = []
    for calibration in calibrations:
        for value in calibration.value:
            kin = [name for name in value.gpus if name in facts.gpus and facts.gpus[name].arch == arch]
            if value.quantity == quantity and kin:
                borrowed = None if gpu in value.gpus else kin[0]
                candidates.append((calibration.rank, borrowed is not None, calibration.name, borrowed or "", value))
    if not candidates:
        known = sorted({name for c in calibrations for v in c.value if v.quantity == quantity for name in v.gpus})
        there = f"the calibrations have it for {', '.join(known)}" if known else "no calibration has it"
        raise CalibrationError(
            f"{quantity} is not calibrated for the {gpu} ({arch}): {there}; measure it and add a file"
        )
    _, _, source, borrowed_from, best = min(candidates, key=lambda candidate: candidate[:4])
    return Used(
        quantity=quantity,
        low=best.low,
        high=best.high,
        source=source,
        conditions=best.conditions,
        borrowed=borrowed_from or None,
    )
