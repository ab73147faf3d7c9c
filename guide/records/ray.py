"""``records/ray/``: what real Ray and verl did with visibility variables, and how far environment variables get."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from guide.records.base import Model, read, write_json

FOLDER = Path("records") / "ray"
REMEDY = "restore it with git, or run make record-ray"


class Recorded(Model):
    """When and with which releases a record was written, and what stood in for hardware that is not there."""

    written: datetime
    ray: str
    verl: str
    torch: str
    vllm: str
    machine: str
    replaced: list[str]


class Process(Model):
    """One process: its GPUs by Ray's ids, its variables from Ray and after verl, and the GPUs that torch counts."""

    gpu: list[str]
    ray: dict[str, str]
    verl: dict[str, str]
    gpus: int
    problem: str | None


class Server(Process):
    """The vLLM server of a replica; ``vllm`` is what its engine has."""

    vllm: dict[str, str]


class Journey(BaseModel):
    """What ``snippets/how_to/choose_the_gpus.py --json`` prints; a record keeps these parts of it."""

    model_config = ConfigDict(frozen=True)

    gpus: int | None
    workers: list[Process]
    server: Server | None
    problems: list[str]


class VisibilityCase(Journey):
    """A node whose shells set ``variables``, and a job with replicas of ``tensor_parallel`` GPUs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    variables: dict[str, str] = Field(
        validation_alias=AliasChoices("variables", "given"),
        serialization_alias="given",  # its name in the committed records
    )
    tensor_parallel: int


class Visibility(Recorded):
    """``visibility.json``."""

    cases: list[VisibilityCase]


class VariableJourney(Model):
    """One variable, where it was set, and its value in each process; ``None`` where it is not set."""

    name: str
    starts_ray: bool
    node: str | None
    shell: str | None
    override: str | None
    seen: dict[str, str | None]


class Variables(Recorded):
    """``environment.json``."""

    ways: list[VariableJourney]


def load_visibility(path: Path) -> Visibility:
    """The record; :class:`RecordError` if the file is not one."""
    return read(Visibility, path, "no record of visible GPUs", REMEDY)


def load_variables(path: Path) -> Variables:
    """The record; :class:`RecordError` if the file is not one."""
    return read(Variables, path, "no record of environment variables", REMEDY)


def save(record: Recorded, path: Path) -> None:
    """Write the record atomically."""
    write_json(path, record.model_dump(mode="json", by_alias=True), sort_keys=False)
