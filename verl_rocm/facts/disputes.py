"""Sources that disagree, and the words that settings, issues and images share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from .evidence import Proof, Record, Text

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Value = bool | int | float | str | list[bool | int | float | str]


class Position(Record):
    """One side of a conflict between sources."""

    value: Value
    who: Text
    evidence: Proof


class Dispute(Record):
    """Sources disagree: all positions, and what decides between them."""

    positions: Annotated[list[Position], Field(min_length=2)]
    decides: Text

    @model_validator(mode="after")
    def _differ(self) -> Dispute:
        if len({repr(p.value) for p in self.positions}) < 2:
            raise ValueError("all positions have the same value; a conflict needs two values")
        return self
