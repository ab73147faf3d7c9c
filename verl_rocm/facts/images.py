"""Models of ``images.toml``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from .disputes import Dispute, Identifier, Value
from .evidence import Day, Proof, Record, Text


class Patch(Record):
    """A change that an image makes to what it installs. The issue that it works around says which versions end it."""

    what: Text
    issue: Identifier | None = None
    evidence: Proof


class Image(Record):
    """A container image, or a Dockerfile that nobody publishes an image of (``name`` is then its path).

    ``None`` in a version: no source states it.  ``unknown`` names what a reader might look for and no source states.
    """

    id: Identifier
    name: Text
    by: Text
    use: Text
    published: bool = True
    rocm: Text | None = None
    python: Text | None = None
    torch: Text | None = None
    vllm: Text | None = None
    verl: Text | None = None
    archs: Annotated[list[Annotated[str, StringConstraints(pattern=r"^gfx[0-9a-f]{3,4}$")]], Field(min_length=1)]
    sets: dict[str, Value] = Field(default_factory=dict)
    patches: tuple[Patch, ...] = ()
    conflict: Dispute | None = None
    unknown: tuple[Text, ...] = ()
    see: tuple[Identifier, ...] = ()
    evidence: Proof
    checked: Day

    @model_validator(mode="after")
    def _pinned(self) -> Image:
        name = self.name.rpartition("/")[2]
        if self.published and not re.search(r":\w|@sha256:[0-9a-f]{64}$", name):
            raise ValueError(f"{self.name!r} names no tag; add one, or set published = false")
        return self
