"""What crosses the border between the command and its child process, in both directions.

The command writes :class:`Requests` and reads :class:`Answers`; nothing else is shared.  JSON on both sides is a dump
of these models, so that a field which one side lacks is an error there and not a silent default.
"""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from verl_rocm.memory.rollout import NOT_WEIGHED, RolloutMemory
from verl_rocm.part import Part

from .refusal import REFUSERS, Kind, Problem, Refusal, Stage
from .request import ROLLOUT, VISIBILITY, Identity, Placed, Request, Requests

__all__ = [
    "LEFT_OUT",
    "REFUSERS",
    "ROLLOUT",
    "VISIBILITY",
    "Answer",
    "Answers",
    "Attention",
    "Graphs",
    "Identity",
    "Kind",
    "Model",
    "OtherEngine",
    "Placed",
    "Precision",
    "Problem",
    "Refusal",
    "Request",
    "Requests",
    "Resolution",
    "Runner",
    "Sizes",
    "Sleep",
    "Stage",
    "Trace",
]

LEFT_OUT = "left out, no keys of"  # the one warning that is the dry run's own: keys of a foreign trainer


class Trace(Part):
    """The way of one argument: the user's override, verl's value, vLLM's command line, vLLM's own value.

    ``known``: whether vLLM's resolved value can be read back.
    """

    argument: str
    key: str
    override: str | None
    verl: JsonValue
    sent: str | None
    vllm: JsonValue
    known: bool


class Model(Part):
    """The model of the rollout.  ``named`` is the job's own name for it."""

    named: str
    source: str
    architecture: str
    moe: bool
    hybrid: bool


class Sizes(Part):
    """GPUs and nodes of the rollout."""

    gpus_per_node: int
    nodes: int
    gpus_of_one_engine: int
    replicas: int
    nodes_of_one_engine: int


class Graphs(Part):
    """How vLLM compiles and captures.  ``max`` is the largest batch that a graph serves, 0 for none."""

    mode: str
    sizes: tuple[int, ...]
    max: int
    compilation: JsonValue
    requested: dict[str, JsonValue]


class Attention(Part):
    """vLLM's choice for the decoder's attention, with AITER installed or not and its switch as given."""

    aiter: bool
    switch: str | None
    backend: str | None = None
    block_size: int | None = None
    graphs: str = "unknown"
    error: str | None = None


class Runner(Part):
    """Executor, worker and model runner."""

    executor: str
    worker: str
    model_runner: Literal["V1", "V2"]


class Precision(Part):
    """FP8 format of the GPU, in vLLM's words."""

    fp8: str
    supports_fp8: bool
    capability: str


class Sleep(Part):
    """Whether verl puts the engine to sleep.  ``level`` 0: it never does."""

    mode: str
    free_cache_engine: bool
    pool: bool
    level: int


class OtherEngine(Part):
    """A rollout beside the actor's, which verl starts as an engine of its own."""

    what: str
    key: str
    model: str
    settings: dict[str, JsonValue]


class Resolution(Part):
    """What verl and vLLM make of a job.

    ``overrides`` are the user's, by bare key; ``resolved`` vLLM's values by argument; ``config`` verl's scalar values
    by key; ``warnings`` what vLLM and verl logged on the way; ``memory`` what the rollout engine keeps on a GPU.
    """

    result: Literal["resolved"] = "resolved"
    model: Model
    sizes: Sizes
    journey: tuple[Trace, ...]
    command: tuple[str, ...]
    graphs: Graphs
    runner: Runner
    precision: Precision
    sleep: Sleep
    attention: tuple[Attention, ...]
    environment: dict[str, str]
    overrides: dict[str, str]
    others: tuple[OtherEngine, ...]
    resolved: dict[str, JsonValue]
    config: dict[str, bool | int | float | str | None]
    warnings: tuple[str, ...]
    memory: RolloutMemory = NOT_WEIGHED
    seconds: float = 0.0


Answer = Resolution | Refusal


class Answers(Part):
    """What the child writes: versions by package, and an answer for each request."""

    versions: dict[str, str]
    import_seconds: float
    answers: tuple[Answer, ...]
