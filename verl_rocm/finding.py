"""What a command found: what was seen, why it matters, and the ways out.  ``check`` and ``dry-run`` share it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Confidence, Fix, Issue, Setting, Value
from verl_rocm.part import Part
from verl_rocm.paste import Target, lines

Level = Literal["finding", "note"]
SITE = "https://verl-rocm-guide.readthedocs.io/en/latest"
ISSUES = "how-to/troubleshooting"
COMPONENTS = {
    "vllm": "vLLM",
    "verl": "verl",
    "rocm": "ROCm",
    "torch": "torch",
    "ray": "Ray",
    "driver": "driver",
}


class Remedy(Part):
    """One way out.  ``lines`` are to be pasted; ``upgrade`` has the releases that do it, by component."""

    text: str
    lines: tuple[str, ...] = ()
    upgrade: dict[str, str] = Field(default_factory=dict)

    def sentence(self) -> str:
        """The text with the releases in it: ``Use a release that waits (vLLM >=0.25.0).``"""
        if not self.upgrade:
            return self.text
        releases = ", ".join(f"{COMPONENTS[name]} {spec}" for name, spec in self.upgrade.items())
        return f"{self.text.rstrip('.')} ({releases})."


class Finding(Part):
    """One thing that the user should know.  ``id`` is an entry of the facts, or a name of the command's own.

    A note does not count for the exit code.  ``seen`` is what this job or machine shows; ``why`` what follows from it.
    ``url`` is the entry on the guide's site.
    """

    level: Level = "finding"
    id: str
    title: str
    seen: str = ""
    why: str = ""
    confidence: Confidence = "confirmed"
    remedies: tuple[Remedy, ...] = ()
    known_issue: bool = False
    url: str = ""


def site(page: str, anchor: str = "") -> str:
    """The address of a page below ``docs`` on the guide's site, or of an entry on it."""
    return f"{SITE}/docs/{page}.html" + (f"#{anchor}" if anchor else "")


def one_line(text: str) -> str:
    """Text of the facts, which has a sentence a line, as one line."""
    return " ".join(text.split())


def remedy(facts: Facts, fix: Fix, target: Target) -> Remedy:
    """A fix of a known issue, its settings written for ``target``."""
    pasted = lines(facts, fix.settings, target)
    return Remedy(
        text=one_line(fix.text),
        lines=(*pasted, *([fix.command] if fix.command else [])),
        upgrade=fix.upgrade.ranges() if fix.upgrade else {},
    )


def of_issue(facts: Facts, issue: Issue, target: Target, seen: str, level: Level = "finding") -> Finding:
    """A known issue that a job or a machine meets."""
    return Finding(
        level=level,
        id=issue.id,
        title=issue.title,
        seen=seen,
        why=one_line(issue.cause),
        confidence=issue.confidence,
        remedies=tuple(remedy(facts, fix, target) for fix in issue.fixes),
        known_issue=True,
        url=site(ISSUES, issue.id),
    )


def of_setting(
    facts: Facts, setting: Setting, target: Target, title: str, seen: str, value: Value, level: Level = "finding"
) -> Finding:
    """A setting that has another value than the facts advise, or one that does nothing."""
    advice = next((entry for entry in setting.advice if entry.value == value), None)
    text = f"For {advice.for_whom}." if advice else ""
    return Finding(
        level=level,
        id=setting.id,
        title=title,
        seen=seen,
        why=one_line(f"{setting.what} {advice.why if advice else ''}"),
        confidence=setting.confidence,
        remedies=(Remedy(text=text, lines=lines(facts, {setting.name: value}, target)),),
        url=site("reference/environment-variables" if setting.where == "env" else "reference/settings", setting.id),
    )
