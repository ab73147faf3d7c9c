"""What vLLM's profiling run adds to the weights, as ranges over published logs; an estimate, never a measurement."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from statistics import median

from pydantic import Field, TypeAdapter

from verl_rocm.facts.evidence import Day, Positive, Record, Text

from .rollout import GIB, Engine, Overhead, Range

FILE = Path(__file__).resolve().parents[1] / "facts" / "calibration" / "profiling.toml"


class Run(Record):
    """One published log.  What it does not tell is None; ``assumed`` names what is a release's default."""

    id: Text
    fit: bool
    gpu: Text
    tensor_parallel: Positive | None = None
    vocabulary: Positive | None = None
    max_num_seqs: Positive | None = None
    activation_gib: float | None = Field(default=None, ge=0)
    non_torch_gib: float | None = Field(default=None, ge=0)
    graphs: Positive | None = None
    graph_gib: float | None = Field(default=None, ge=0)
    assumed: tuple[Text, ...] = ()
    source: Text
    read: Day


@lru_cache(maxsize=2)
def runs(file: Path = FILE) -> tuple[Run, ...]:
    """The published logs of a calibration file."""
    return TypeAdapter(tuple[Run, ...]).validate_python(tomllib.loads(file.read_text(encoding="utf-8"))["run"])


def _range(values: Iterable[tuple[float, str]], factor: float) -> Range:
    ordered = sorted(values)
    numbers = [number * factor for number, _ in ordered]
    sources = tuple(source for _, source in ordered)
    return Range(low=int(numbers[0]), middle=int(median(numbers)), high=int(numbers[-1]), sources=sources)


def activation(engine: Engine, known: Iterable[Run]) -> Range:
    """The peak of the profiling run: its sampler holds logits of ``max_num_seqs`` sequences over the vocabulary.

    Logs of one release put the peak in proportion to the vocabulary, whatever the model's size and the ranks.
    """
    values = (
        (run.activation_gib * GIB / (run.vocabulary * run.max_num_seqs), run.id)
        for run in known
        if run.activation_gib is not None and run.vocabulary and run.max_num_seqs
    )
    return _range(values, engine.vocabulary * engine.max_num_seqs)


def non_torch(engine: Engine, known: Iterable[Run]) -> Range:
    """What libraries take outside torch: more where ranks communicate."""
    several = engine.tensor_parallel > 1
    values = (
        (run.non_torch_gib, run.id)
        for run in known
        if run.non_torch_gib is not None and ((run.tensor_parallel or 1) > 1) == several
    )
    return _range(values, GIB)


def graphs(engine: Engine, known: Iterable[Run]) -> Range:
    """Pools of captured graphs, by their number."""
    if not engine.graphs:
        return Range(low=0, middle=0, high=0)
    values = ((run.graph_gib / run.graphs, run.id) for run in known if run.graph_gib is not None and run.graphs)
    return _range(values, GIB * engine.graphs)


def overhead(engine: Engine, known: Iterable[Run] | None = None) -> Overhead:
    """The estimate for an engine, from the runs that fit."""
    fitting = [run for run in (runs() if known is None else known) if run.fit]
    return Overhead(
        activation=activation(engine, fitting),
        non_torch=non_torch(engine, fitting),
        graphs=graphs(engine, fitting),
    )
