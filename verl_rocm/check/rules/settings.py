"""Findings about a setting or a known issue, by the id of its entry."""

from __future__ import annotations

from verl_rocm.check.situation import Situation
from verl_rocm.facts.schema import Value
from verl_rocm.finding import Finding, Level, of_issue, of_setting
from verl_rocm.paste import Target


def of_entry(s: Situation, setting: str, title: str, seen: str, value: Value, level: Level = "finding") -> Finding:
    """A finding about the setting with this id."""
    return of_setting(s.facts, s.facts.settings[setting], Target.SHELL, title, seen, value, level)


def detected(s: Situation, issue: str, title: str, seen: str) -> Finding:
    """A known issue that was seen itself, under a title of this machine's own."""
    return of_issue(s.facts, s.facts.issues[issue], Target.SHELL, seen).model_copy(update={"title": title})
