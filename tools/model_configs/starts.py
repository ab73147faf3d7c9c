"""``models.yaml``: which models are bundled, and where the numbers of each come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue

FILE = Path(__file__).with_name("models.yaml")


class Start(BaseModel):
    """What all models have; closed, so that a misspelt field is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str


class OfSlime(Start):
    """A model whose architecture stands in a script of slime; ``context`` in tokens."""

    file: str
    family: str
    context: int
    changes: dict[str, JsonValue] = Field(default_factory=dict)


class OfTransformers(Start):
    """A model that transformers describes by the defaults of a class, and what its config says besides."""

    kind: Annotated[str, Field(alias="class")]
    config: dict[str, JsonValue]


class Typed(Start):
    """A model whose numbers were typed from a ``source``; with ``family``, those of the language model inside."""

    source: str
    family: str | None = None
    config: dict[str, JsonValue]


class Starts(BaseModel):
    """The file; whose context length is the default of which class of transformers, and whose which source states."""

    slime: list[OfSlime]
    defaults: list[OfTransformers]
    typed: list[Typed]
    default_lengths: dict[str, str]
    stated_lengths: dict[str, str]


def read() -> Starts:
    """The file."""
    return Starts.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
