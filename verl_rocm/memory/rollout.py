"""What the rollout engine keeps in a GPU's memory, as vLLM's own code answers it.  Sizes are in bytes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from verl_rocm.part import Part

GIB = 2**30


class Lengths(Part):
    """Tokens of one sequence of a job, prompt and response: the longest, and one whose response is half as long.

    A job's configuration says nothing of a mean; the half is a stand-in until a run's own lengths are known.
    """

    longest: int = Field(ge=1)
    half_response: int = Field(ge=1)


class Holding(Part):
    """A KV cache of ``budget`` bytes on each GPU of an engine.

    ``blocks`` include the one that vLLM holds back; ``tokens`` is what vLLM's log names the KV cache's size, at the
    engine's maximum length.  ``longest`` and ``half_response`` are sequences of these lengths that fit at once.
    """

    budget: int
    blocks: int = Field(ge=0)
    tokens: int = Field(ge=0)
    longest: float = Field(ge=0)
    half_response: float = Field(ge=0)


class Group(Part):
    """Layers whose KV cache is paged alike.  ``page`` is bytes of a block of one layer."""

    kind: str
    layers: int
    block_size: int
    page: int


class Weights(Part):
    """Parameters and buffers of one rank, by dtype."""

    total: int = Field(ge=0)
    by_dtype: dict[str, int]


class Weighed(Part):
    """One rank of the engine.

    ``bytes_per_block`` is what one block costs over all layers; ``bytes_per_sequence`` what a sequence of the job's
    longest length takes; ``needed`` the smallest KV cache with which vLLM starts.
    """

    result: Literal["weighed"] = "weighed"
    lengths: Lengths
    weights: Weights
    groups: tuple[Group, ...]
    bytes_per_block: int = Field(ge=0)
    bytes_per_sequence: int = Field(ge=0)
    needed: int = Field(ge=0)
    holdings: tuple[Holding, ...]
    seconds: float = 0.0


class Unweighed(Part):
    """Why an engine could not be weighed, in one line."""

    result: Literal["unweighed"] = "unweighed"
    reason: str


RolloutMemory = Annotated[Weighed | Unweighed, Field(discriminator="result")]
NOT_WEIGHED = Unweighed(reason="the dry run stopped before")
