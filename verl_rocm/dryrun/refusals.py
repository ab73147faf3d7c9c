"""What the facts and the bundled models add to a refusal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from verl_rocm import models
from verl_rocm.facts import releases
from verl_rocm.worker.wire import Kind, Problem

if TYPE_CHECKING:
    from verl_rocm.facts.base import Facts


def elsewhere(key: str, verl: str) -> str:
    """For a key that this verl lacks: the releases that have it, from the contracts; empty if there are none."""
    having = [name for name in releases.known("verl") if releases.release("verl", name).override(key)]
    if not having or verl in having:
        return ""
    span = having[0] if len(having) == 1 else f"{having[0]} to {having[-1]}"
    return f"verl {span} has this key, {verl} does not"


def known_fix(facts: Facts, message: str) -> str:
    """The first fix of a known issue whose error text is in ``message``; empty if there is none."""
    from verl_rocm.finding import remedy  # with pydantic's classes, for which the child must not wait
    from verl_rocm.paste import Target

    for issue in facts.issues.values():
        texts = [re.sub(r"^\w+(Error|Exception): ", "", symptom) for symptom in issue.symptoms]
        if any(len(text) > 20 and text in message for text in texts):
            way = remedy(facts, issue.fixes[0], Target.OVERRIDE)
            return " ".join(filter(None, (way.sentence(), *way.lines, f"({issue.id})")))
    return ""


def other_model(name: str) -> str:
    """For a model that nobody has: the bundled one that its name speaks of; empty if it speaks of none."""
    near = models.near(name)
    return f"if it was made from {near}, give --model {near}" if near else ""


def explained(problem: Problem, verl: str, facts: Facts) -> Problem:
    """The problem with a completed hint."""
    hint = problem.hint
    if problem.kind is Kind.UNKNOWN_KEY and problem.key:
        hint = "; ".join(filter(None, (elsewhere(problem.key, verl), hint)))
    elif problem.kind is Kind.UNKNOWN_MODEL and problem.model:
        hint = other_model(problem.model) or hint
    return problem.model_copy(update={"hint": hint or known_fix(facts, problem.message)})
