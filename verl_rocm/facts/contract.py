"""The form of a release's contract, ``verl_rocm/facts/{vllm,verl}/<release>.json``: written and read with these types.

They are typed dictionaries and no models, because a command reads a dozen contracts of thousands of names each.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from pydantic import JsonValue


class Name(TypedDict, total=False):
    """What the source says of one argument, field, override key or environment variable.

    ``default``, or its text ``expr`` where the source gives no value, or ``required``.  ``values`` are those that the
    annotation lists; ``open`` admits others.  Of an override key, ``dataclass`` is the default of the class behind it
    where that differs, ``add`` marks a key that needs ``+``.  Of a variable, ``by`` are the kinds of source that read
    it; ``unused`` is one that is declared and read nowhere.
    """

    default: JsonValue
    expr: str
    required: bool
    values: list[JsonValue]
    open: bool
    dataclass: JsonValue
    add: bool
    by: list[str]
    unused: bool


class Method(TypedDict, total=False):
    """A method of ``LLM``; ``returns`` is the text of its annotation."""

    arguments: dict[str, Name]
    returns: str


class Rocm(TypedDict, total=False):
    """Sleep mode as vLLM's platform answers for it, and what its CMake says of archs and torch."""

    sleep_mode: bool | None
    sleep_mode_rule: str | None
    sleep_allocator_built_if: str | None
    archs: list[str]
    torch: str


class Graphs(TypedDict, total=False):
    """vLLM's default graph mode, by optimisation level where there is one, and the text of its default sizes."""

    mode_by_level: dict[str, str]
    default_level: JsonValue
    default_mode: str | None
    default_sizes: list[str]


Names = Literal["llm", "engine_args", "compilation_config", "sampling_params", "env", "keys", "megatron_keys"]
Places = dict[str, str]


class Contract(TypedDict, total=False):
    """One release.  ``whole`` is false where only a wheel was read, which lacks C++, CMake and setup.py.

    ``passed`` and ``env_set`` are what verl itself passes to vLLM and sets: by file, the text of the expression.
    """

    release: str
    source: str
    whole: bool
    llm: dict[str, Name]
    engine_args: dict[str, Name]
    compilation_config: dict[str, Name]
    sampling_params: dict[str, Name]
    llm_methods: dict[str, Method]
    env: dict[str, Name]
    rocm: Rocm
    graphs: Graphs
    keys: dict[str, Name]
    megatron_keys: dict[str, Name]
    passed: dict[str, Places]
    false_flags: dict[str, str | None]
    env_set: dict[str, Places]
    requires: dict[str, list[str]]
