"""What crosses the border between the command and its child process, in both directions.

The command writes :class:`Requests` and reads :class:`Answers`; nothing else is shared.  JSON on both sides is a dump
of these models, so that a field which one side lacks is an error there and not a silent default.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from verl_rocm.memory.rollout import NOT_WEIGHED, RolloutMemory
from verl_rocm.part import Part

ROLLOUT = "actor_rollout_ref.rollout"
VISIBILITY = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


class Identity(Part):
    """The GPUs that the child claims to have: ``count`` of one kind in a node.  ``memory_gib`` in GiB (2^30 bytes)."""

    name: str
    arch: str
    memory_gib: int
    pci: str
    compute_units: int
    fp8: str
    count: int


class Placed(Part):
    """A folder with a model's ``config.json``, and where that comes from, in the report's words."""

    directory: str
    source: str


class Request(Part):
    """One launch of verl to be resolved.

    ``models`` are configs by the name that a job gives; ``folder`` is a folder of this run, into which the child may
    put bundled ones that a config file of the user's own names.  ``devices`` are the job's visibility variables,
    ``environment`` what a script exported, ``limit`` seconds;
    ``foreign`` trainers may have keys that verl's own lack, which are left out.
    """

    identity: Identity
    launcher: str
    arguments: tuple[str, ...]
    models: dict[str, Placed]
    folder: str
    rocm: str | None = None
    model: str | None = None
    nodes: int | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    devices: dict[str, str] = Field(default_factory=dict)
    limit: int = 120
    foreign: bool = False


class Requests(Part):
    """All requests of a run; the child imports vLLM once and answers each in a fork."""

    requests: tuple[Request, ...]


class Kind(StrEnum):
    """What refused a job, or why it cannot be dry-run.  :data:`REFUSERS` says whose decision each is."""

    UNKNOWN_KEY = "unknown key"
    APPEND = "append"
    MISSING = "missing"
    MALFORMED = "malformed"
    COMPOSE = "compose"
    CONFIG_PATH = "config path"
    NO_MODULE = "no module"
    MISSING_CONFIG = "missing config"
    VERL = "verl refuses"
    VLLM = "vLLM refuses"
    MODEL = "model refused"
    UNKNOWN_MODEL = "unknown model"
    VISIBILITY = "visibility"
    GPUS = "gpus"
    OTHER_BACKEND = "other backend"
    LAUNCHER = "launcher"
    FAULT = "fault"


VERL_KINDS = (
    Kind.UNKNOWN_KEY,
    Kind.APPEND,
    Kind.MISSING,
    Kind.MALFORMED,
    Kind.COMPOSE,
    Kind.CONFIG_PATH,
    Kind.NO_MODULE,
    Kind.VERL,
)
# Who refuses the job at its real start as well; of the other kinds it is the dry run that cannot go on.
REFUSERS = dict.fromkeys(VERL_KINDS, "verl") | {Kind.VLLM: "vLLM", Kind.MODEL: "transformers"}
LEFT_OUT = "left out, no keys of"  # the one warning that is the dry run's own: keys of a foreign trainer
Stage = Literal["compose", "model", "verl", "vllm", "devices", "scope", "fault"]


class Problem(Part):
    """One thing that stops a job.  ``key``, ``nearest`` and ``file`` are of an unknown key, ``model`` of a model."""

    kind: Kind
    stage: Stage
    message: str
    hint: str = ""
    key: str | None = None
    nearest: str | None = None
    file: str | None = None
    model: str | None = None

    @property
    def refuser(self) -> str | None:
        """Who refuses the job, as at its real start; None where it is the dry run that cannot go on."""
        return REFUSERS.get(self.kind)

    @property
    def text(self) -> str:
        """What is wrong, without the hint."""
        return f"{self.refuser} refuses this job: {self.message}" if self.refuser else self.message

    def line(self) -> str:
        """The problem for a reader, in one line."""
        return self.text + (f": {self.hint}" if self.hint else "")


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


class Refusal(Part):
    """Everything that stops a job, as far as it can be seen in one go."""

    result: Literal["refused"] = "refused"
    problems: tuple[Problem, ...] = Field(min_length=1)
    seconds: float = 0.0


Answer = Resolution | Refusal


class Answers(Part):
    """What the child writes: versions by package, and an answer for each request."""

    versions: dict[str, str]
    import_seconds: float
    answers: tuple[Answer, ...]
