"""What a rule reports: what was found, why it matters, what to paste, and the entry of the facts that says so."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

from verl_rocm.check.situation import Situation
from verl_rocm.facts.schema import Fix, Issue, Knob, Value
from verl_rocm.paste import KWARGS

Level = Literal["finding", "note"]
# Words in backquotes of a fix that are a line to paste, with all that the bare name of a setting lacks.
LINE = re.compile(r"`((?:\+|export |unset |pip |python )[^`]+)`")


class Remedy(BaseModel):
    """One way out; ``line`` can be pasted."""

    model_config = ConfigDict(frozen=True)

    text: str
    line: str | None = None


class Finding(BaseModel):
    """``id`` is an entry of the facts. A note does not count for the exit code."""

    model_config = ConfigDict(frozen=True)

    level: Level
    id: str
    title: str
    found: str
    why: str
    confidence: str
    do: tuple[Remedy, ...] = ()


def one_line(text: str) -> str:
    """Text of the facts, which has a sentence a line, as one line."""
    return " ".join(text.split())


def line(knob: Knob, value: Value) -> str:
    """The line that gives a setting a value, in the language of the place where it is set."""
    match knob.where:
        case "env" if value == "unset":
            return f"unset {knob.name}"
        case "container":
            return f"docker run {knob.name}={value} ..."
        case "host" if re.fullmatch(r"\w+\.[\w.]+", knob.name):
            return f"sudo sysctl {knob.name}={value}"
        case "vllm":
            return f"++{KWARGS}.{knob.name}={value}"
        case "compilation_config":
            return f"++{KWARGS}.compilation_config.{knob.name}={value}"
        case "verl" if isinstance(value, list):
            return f"'{knob.paste(value)}'"  # to a shell, brackets mean file names
    return knob.paste(value)


def remedy(s: Situation, fix: Fix) -> Remedy:
    """A fix of a known issue with its line: the one in its text, else that of its setting."""
    text = one_line(fix.text)
    if fix.upgrade is not None:
        wanted = ", ".join(f"{name} {spec}" for name, spec in fix.upgrade.ranges().items())
        return Remedy(text=f"{text.rstrip('.')} ({wanted}).")
    if written := LINE.search(text):
        return Remedy(text=text.replace(f": {written[0]}.", "."), line=written[1])  # said once
    knob = s.facts.knob(fix.setting) if fix.setting else None
    return Remedy(text=text, line=line(knob, fix.value) if knob and fix.value is not None else None)


def of_issue(s: Situation, issue: Issue | str, found: str, level: Level = "finding") -> Finding:
    """A known issue that awaits this machine."""
    entry = s.facts.issues[issue] if isinstance(issue, str) else issue
    return Finding(
        level=level,
        id=entry.id,
        title=entry.title,
        found=found,
        why=one_line(entry.cause),
        confidence=entry.confidence,
        do=tuple(remedy(s, fix) for fix in entry.fixes),
    )


def of_knob(s: Situation, knob: Knob | str, title: str, found: str, value: Value, level: Level = "finding") -> Finding:
    """A setting that has another value than the facts advise, or one that does nothing."""
    entry = s.facts.knobs[knob] if isinstance(knob, str) else knob
    advice = next((a for a in entry.advice if a.value == value), None)
    why = f"{entry.what} {advice.why if advice else ''}"
    said = f"For {advice.for_whom}." if advice else ""
    return Finding(
        level=level,
        id=entry.id,
        title=title,
        found=found,
        why=one_line(why),
        confidence=entry.confidence,
        do=(Remedy(text=said, line=line(entry, value)),),
    )
