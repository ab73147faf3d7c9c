"""The schema of ``records/<machine class>.json``: what was run where.

Records are written by programs only.  A record keeps, for each region, the result of the last run that covered it;
runs that no region refers to any more are dropped.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from guide.records.base import Model, RecordError, read, write_json

Level = Literal["checked", "dry run", "run"]
Status = Literal["passed", "failed", "not run"]
Accelerator = Literal["cpu", "cuda", "rocm"]
ACCELERATOR_WORDS: dict[str, str] = {"cpu": "CPU", "cuda": "CUDA", "rocm": "ROCm"}


class Machine(Model):
    """The machine of a run.  ``memory_gib`` is one GPU's memory, or the host's on a CPU run."""

    accelerator: Accelerator
    name: str
    count: int
    arch: str
    memory_gib: float
    kernel: str
    driver: str | None = None
    rocm: str | None = None
    cuda: str | None = None


class Software(Model):
    """Versions that the run imported; ``None`` where a package is absent."""

    python: str
    torch: str
    vllm: str
    verl: str | None = None
    ray: str | None = None
    transformers: str | None = None
    image_digest: str | None = None


class Run(Model):
    """One call of ``make doctest``.  ``clean`` says whether the work tree equalled ``commit``."""

    started: datetime
    ended: datetime
    machine: Machine
    software: Software
    commit: str | None = None
    clean: bool


class Result(Model):
    """The result of one region in a run.

    ``seconds`` includes ``setup_seconds`` (an engine that had to start).  ``passed`` is what the test passed instead
    of the snippet's defaults.  ``measured`` holds figures whose names carry their unit.
    """

    run: str
    status: Status
    level: Level
    seconds: float
    setup_seconds: float
    sha256: str
    rest_sha256: str
    file_sha256: str
    reason: str | None = None
    passed: dict[str, str] = Field(default_factory=dict)
    measured: dict[str, float] = Field(default_factory=dict)


class Record(Model):
    """All that is known of one machine class."""

    schema_version: Literal[1] = 1
    machine_class: str
    runs: dict[str, Run] = Field(default_factory=dict)
    regions: dict[str, Result] = Field(default_factory=dict)

    def merged(self, run_id: str, run: Run, results: dict[str, Result], known: set[str]) -> Record:
        """This record with ``results`` of a new run, without regions that are not in ``known`` any more."""
        regions = {key: value for key, value in {**self.regions, **results}.items() if key in known}
        used = {result.run for result in regions.values()}
        runs = {key: value for key, value in {**self.runs, run_id: run}.items() if key in used}
        return Record(machine_class=self.machine_class, runs=runs, regions=regions)


def load(path: Path) -> Record:
    """Read one record; :class:`RecordError` if it is not one."""
    record = read(Record, path, "not a record", "restore it with git, or run make doctest")
    for region, result in record.regions.items():
        if result.run not in record.runs:
            raise RecordError(f"{path.name}: region {region} refers to run {result.run!r}, which the record lacks")
    return record


def load_all(folder: Path) -> list[Record]:
    """All records of ``folder``, sorted by machine class."""
    return sorted((load(path) for path in folder.glob("*.json")), key=lambda record: record.machine_class)


def save(record: Record, folder: Path) -> Path:
    """Write ``record`` atomically: a reader sees the old file or the new one, never a part."""
    path = folder / f"{record.machine_class}.json"
    write_json(path, record.model_dump(mode="json", exclude_none=True), sort_keys=True)
    return path
