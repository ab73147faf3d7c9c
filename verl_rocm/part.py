"""The base of everything that a report or a message is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of a report or a message: closed, so that a misspelt field is noticed, and unchangeable."""

    model_config = ConfigDict(extra="forbid", frozen=True)
