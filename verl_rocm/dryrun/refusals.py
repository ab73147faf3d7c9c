"""Jobs without a report: who refuses them, and what the facts and the bundled models add to the one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import models

if TYPE_CHECKING:
    from verl_rocm.facts.base import Facts

REFUSERS = {
    "verl": ("unknown key", "append", "missing", "malformed", "compose", "config path", "no module", "verl refuses"),
    "vLLM": ("vLLM refuses",),
    "transformers": ("model refused",),
}


def refuser(problem: dict[str, str]) -> str | None:
    """Who refuses the job, as at its real start; None where it is the dry run that cannot go on."""
    return next((name for name, kinds in REFUSERS.items() if problem["kind"] in kinds), None)


def one_line(problem: dict[str, str]) -> str:
    """A refusal for the reader."""
    who = refuser(problem)
    text = f"{who} refuses this job: {problem['message']}" if who else problem["message"]
    return text + (f": {problem['hint']}" if problem["hint"] else "")


def elsewhere(message: str, verl: str) -> str:
    """For a key that this verl lacks: the releases that have it, from the contracts; empty if there are none."""
    from verl_rocm.facts import releases

    match = re.match(r"verl has no key ([\w.]+)", message)
    if not match:
        return ""
    having = [name for name in releases.known("verl") if releases.release("verl", name).override(match[1])]
    if not having or verl in having:
        return ""
    span = having[0] if len(having) == 1 else f"{having[0]} to {having[-1]}"
    return f"verl {span} has this key, {verl} does not"


def known_fix(facts: Facts, message: str) -> str:
    """The first fix of a known issue whose error text is in ``message``; empty if there is none."""
    from .issues import paste  # with pydantic's classes, for which the child must not wait

    for issue in facts.issues.values():
        texts = [re.sub(r"^\w+(Error|Exception): ", "", error) for error in issue.errors]
        if any(len(text) > 20 and text in message for text in texts):
            fix = issue.fixes[0]
            pasted = paste(facts.setting(fix.setting), fix) if fix.setting else ""
            return " ".join(filter(None, (fix.text, pasted, f"({issue.id})")))
    return ""


def other_model(message: str) -> str:
    """For a model that nobody has: the bundled one that its name speaks of; empty if it speaks of none."""
    match = re.match(r"model (\S+) is neither", message)
    near = models.near(match[1]) if match else None
    return f"if it was made from {near}, give --model {near}" if near else ""


def explain(problem: dict[str, str], verl: str, facts: Facts) -> None:
    """Complete the hint of a refusal, and say who refuses, in place."""
    hint, message = problem["hint"], problem["message"]
    if problem["kind"] == "unknown key":
        hint = "; ".join(filter(None, (elsewhere(message, verl), hint)))
    elif problem["kind"] == "unknown model":
        hint = other_model(message) or hint
    problem["hint"] = hint or known_fix(facts, message)
    problem["refused_by"] = refuser(problem) or ""
