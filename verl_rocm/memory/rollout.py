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


class Range(Part):
    """Bytes: the smallest, the median and the largest that the sources give.  ``sources`` are ids of runs."""

    low: int = Field(ge=0)
    middle: int = Field(ge=0)
    high: int = Field(ge=0)
    sources: tuple[str, ...] = ()


class Engine(Part):
    """What the estimate depends on: sizes of the resolved engine.  ``graphs`` counts the graphs that are captured."""

    vocabulary: int = Field(ge=1)
    max_num_seqs: int = Field(ge=1)
    tensor_parallel: int = Field(ge=1)
    graphs: int = Field(ge=0)


class Overhead(Part):
    """Bytes of one GPU that vLLM takes from its share before the KV cache."""

    activation: Range
    non_torch: Range
    graphs: Range

    @property
    def total(self) -> Range:
        """The sum: lowest with lowest, highest with highest."""
        parts = (self.activation, self.non_torch, self.graphs)
        return Range(
            low=sum(part.low for part in parts),
            middle=sum(part.middle for part in parts),
            high=sum(part.high for part in parts),
            sources=tuple(dict.fromkeys(source for part in parts for source in part.sources)),
        )


class Weighed(Part):
    """One rank of the engine.

    ``bytes_per_block`` is what one block costs over all layers; ``bytes_per_sequence`` what a sequence of the job's
    longest length takes; ``needed`` the smallest KV cache with which vLLM starts.  ``share`` is the part of the GPU's
    memory that ``gpu_memory_utilization`` gives to the engine; with an ``overhead`` there are three holdings: with the
    most that vLLM may take before the KV cache, with the middle, and with the least.
    """

    result: Literal["weighed"] = "weighed"
    lengths: Lengths
    weights: Weights
    groups: tuple[Group, ...]
    bytes_per_block: int = Field(ge=0)
    bytes_per_sequence: int = Field(ge=0)
    needed: int = Field(ge=0)
    holdings: tuple[Holding, ...]
    share: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)
    utilization: float = 0.0
    overhead: Overhead | None = None
    seconds: float = 0.0


class Unweighed(Part):
    """Why an engine could not be weighed, in one line."""

    result: Literal["unweighed"] = "unweighed"
    reason: str


RolloutMemory = Annotated[Weighed | Unweighed, Field(discriminator="result")]
NOT_WEIGHED = Unweighed(reason="the dry run stopped before")
