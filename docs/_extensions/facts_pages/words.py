"""Facts in words: version ranges, values, lines to paste."""

from __future__ import annotations

import re
from collections.abc import Sequence

from packaging.specifiers import Specifier, SpecifierSet

from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Setting, Value
from verl_rocm.facts.versions import COMPONENTS, Versions
from verl_rocm.paste import UNSET, Target, paste

NAMES = {"vllm": "vLLM", "verl": "verl", "rocm": "ROCm", "torch": "torch", "ray": "Ray", "driver": "driver"}
WHERE = {
    "verl": "verl override",
    "vllm": "argument of vLLM's LLM and EngineArgs",
    "compilation_config": "key of vLLM's compilation_config",
    "env": "environment variable",
    "container": "option of docker run",
    "host": "setting of the host",
    "sglang": "argument of the SGLang server",
}
PLACE = {"vllm": "vLLM argument", "container": "docker run", "sglang": "SGLang", "verl": "", "env": ""}
CONFIDENCE = {
    "confirmed": "Confirmed: it was read at the source.",
    "reported": "Reported: a thread says so, and this guide has not seen it.",
    "unconfirmed": "Unconfirmed: no source settles it.",
}
PATTERNS = {
    ">=": (0, "{} and later"),
    ">": (0, "after {}"),
    "<": (1, "before {}"),
    "<=": (1, "up to {}"),
    "==": (2, "{} only"),
    "!=": (3, "not {}"),
}


def specifier(text: str) -> str:
    """A PEP 440 specifier in words: ``>=0.11.1,<0.25.0`` becomes "0.11.1 and later, before 0.25.0"."""

    def key(one: Specifier) -> tuple[int, str]:
        return PATTERNS.get(one.operator, (4, ""))[0], one.version

    parts = [
        PATTERNS.get(one.operator, (4, f"{one.operator} {{}}"))[1].format(one.version)
        for one in sorted(SpecifierSet(text), key=key)
    ]
    return ", ".join(parts)


def versions(record: Versions) -> str:
    """A range in words; empty if it limits nothing."""
    ranges = record.ranges()
    parts = [f"{NAMES[c]} {specifier(ranges[c])}" for c in COMPONENTS if c in ranges]
    if record.archs:
        parts.append(f"on {', '.join(record.archs)}")
    return "; ".join(parts)


def in_words(value: Value) -> str:
    """A value that cannot be typed, as part of a sentence."""
    return {"measure": "measure it", "unset": "not set"}.get(str(value), str(value))


def typed(facts: Facts, setting: Setting, value: Value) -> str:
    """``value`` as a reader types it: an export, an override, a keyword; empty if it cannot be typed."""
    if value == UNSET:
        return ""
    return paste(facts, setting.name, value, Target.SHELL if setting.where == "env" else Target.PYTHON)


def span(having: Sequence[str], known: Sequence[str]) -> str:
    """Which of the ``known`` releases are in ``having``, as ranges: "up to 0.11.0, 0.14.0 and later"."""
    if list(having) == list(known):
        return "all"
    ranges: list[list[str]] = []
    before = -2
    for position, version in enumerate(known):
        if version not in having:
            continue
        if position == before + 1:
            ranges[-1][1:] = [version]
        else:
            ranges.append([version])
        before = position
    return ", ".join(_range(r[0], r[-1], known) for r in ranges)


def _range(first: str, last: str, known: Sequence[str]) -> str:
    if first == last:
        return f"{first} only" if first != known[-1] else f"{first} and later"
    if first == known[0]:
        return f"up to {last}"
    return f"{first} and later" if last == known[-1] else f"{first} to {last}"


def sentence(text: str) -> str:
    """The first sentence of a text; a dot inside a name or a version ends none."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]
