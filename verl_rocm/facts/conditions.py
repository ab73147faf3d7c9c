"""When a known issue meets a job or a machine: conditions as data, and the one function that decides them.

A condition holds (True), does not (False), or cannot be decided (None) because the circumstances do not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet
from pydantic import Field, model_validator

from .evidence import Record, Text
from .values import Test, Tests, passes
from .versions import Range, contains

# Names by which torch reads its allocator's options; it takes the first that is set.
ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")


class Conditions(Record):
    """What must all be so; a field that is left out does not matter.  ``{}`` is met by every job."""

    sleep: bool | None = None
    sleep_pool: bool | None = None
    graphs: bool | None = None
    moe: bool | None = None
    hybrid: bool | None = None
    critic: bool | None = None
    megatron: bool | None = None
    expandable_segments: bool | None = None
    radeon: bool | None = None
    architecture: Text | None = None
    gpu: Text | None = None
    quantization: Test | None = None
    nodes: Test | None = None
    replicas: Test | None = None
    settings: dict[Text, Tests] = Field(default_factory=dict)
    environment: dict[Text, Tests] = Field(default_factory=dict)
    machine: dict[Text, Tests] = Field(default_factory=dict)
    packages: dict[Text, Range] = Field(default_factory=dict)
    any_of: tuple[Conditions, ...] = ()
    event: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Conditions:
        if any(part == Conditions() for part in self.any_of) or len(self.any_of) == 1:
            raise ValueError("any_of needs two or more parts, none of them empty; add one or write its fields beside")
        return self

    def environment_names(self) -> set[str]:
        """The environment variables that it names."""
        return {*self.environment, *(name for part in self.any_of for name in part.environment_names())}

    def variables(self) -> Iterator[str]:
        """The environment variables that it looks at, those of torch's allocator included."""
        yield from self.environment
        if self.expandable_segments is not None:
            yield from ALLOCATOR
        for part in self.any_of:
            yield from part.variables()

    def of_the_machine(self) -> bool:
        """Whether it looks at readings of a machine: limits, the kernel's command line, packages, the kind of GPU."""
        own = bool(self.machine or self.packages) or self.radeon is not None
        return own or any(part.of_the_machine() for part in self.any_of)


@dataclass(frozen=True)
class Circumstances:
    """What is known of a job, of a machine, or of both.  None, and a name that a mapping lacks: not known.

    ``settings`` has resolved values by vLLM's argument or verl's key; None in it is a setting without a value.
    ``environment`` has all variables of the process, ``machine`` readings such as ``nofile`` and ``iommu_pt``.
    """

    sleep: bool | None = None
    sleep_pool: bool | None = None
    graphs: bool | None = None
    moe: bool | None = None
    hybrid: bool | None = None
    critic: bool | None = None
    megatron: bool | None = None
    radeon: bool | None = None
    architecture: str | None = None
    gpu: str | None = None
    nodes: int | None = None
    replicas: int | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None
    machine: Mapping[str, object] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def expandable_segments(self) -> bool | None:
        """Whether torch's allocator has expandable segments on, by the first of its variables that is set."""
        if self.environment is None:
            return None
        first = next((name for name in ALLOCATOR if self.environment.get(name)), None)
        return first is not None and first in expandable(self.environment)


def expandable(environment: Mapping[str, str]) -> list[str]:
    """Names of the allocator variables that ask for expandable segments."""
    asks = "expandable_segments:true"
    return [name for name in ALLOCATOR if asks in environment.get(name, "").lower().replace(" ", "")]


def _all(answers: Iterable[bool | None]) -> bool | None:
    seen = list(answers)
    return False if False in seen else None if None in seen else True


def _any(answers: Iterable[bool | None]) -> bool | None:
    seen = list(answers)
    return True if True in seen else None if None in seen else False


def _each(
    tests: Mapping[str, Tests],
    values: Mapping[str, object] | None,
    environment: Mapping[str, str],
    complete: bool,
) -> Iterator[bool | None]:
    """The answers of named tests; where ``values`` is ``complete``, a name that it lacks is a value that is absent."""
    for name, required in tests.items():
        if values is None or (name not in values and not complete):
            yield None
            continue
        for test in required if isinstance(required, tuple) else (required,):
            yield passes(test, values.get(name), environment)


FLAGS = ("sleep", "sleep_pool", "graphs", "moe", "hybrid", "critic", "megatron", "radeon", "expandable_segments")
TEXTS = ("architecture", "gpu", "nodes", "replicas")


def holds(conditions: Conditions, circumstances: Circumstances) -> bool | None:
    """Whether all of ``conditions`` are so; None if that cannot be decided.

    An ``event`` is something that no configuration tells, so it is never decided.
    """

    def answers() -> Iterator[bool | None]:
        environment = circumstances.environment or {}
        for name in FLAGS:
            if (flag := getattr(conditions, name)) is not None:
                known = getattr(circumstances, name)
                yield None if known is None else known is flag
        for name in TEXTS:
            if (test := getattr(conditions, name)) is not None:
                known = getattr(circumstances, name)
                yield None if known is None else passes(test, known, environment)
        if conditions.quantization is not None:
            yield from _each({"quantization": conditions.quantization}, circumstances.settings, environment, False)
        yield from _each(conditions.settings, circumstances.settings, environment, False)
        yield from _each(conditions.environment, circumstances.environment, environment, True)
        yield from _each(conditions.machine, circumstances.machine, environment, False)
        for name, spec in conditions.packages.items():
            version = circumstances.packages.get(name)
            yield None if version is None else _in(spec, version)
        if conditions.any_of:
            yield _any(holds(part, circumstances) for part in conditions.any_of)
        if conditions.event is not None:
            yield None

    return _all(answers())


def _in(spec: str, version: str) -> bool:
    return contains(str(SpecifierSet(spec)), version)
