"""What stops a job, as data: whose decision it is, what it names, and its one line for a reader."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from verl_rocm.part import Part


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


class Refusal(Part):
    """Everything that stops a job, as far as it can be seen in one go."""

    result: Literal["refused"] = "refused"
    problems: tuple[Problem, ...] = Field(min_length=1)
    seconds: float = 0.0
