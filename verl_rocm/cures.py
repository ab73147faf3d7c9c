"""Known issues by what ends them: one upgrade for many, then one setting for many, then what stays.

Each issue is counted once.  Issues of a confirmed kind come first.  What an upgrade would bring is said beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from verl_rocm.finding import COMPONENTS, Finding, Remedy

RANK = {"confirmed": 0, "reported": 1, "unconfirmed": 2}
# Ids of the known issues that would be met if a component had another version.
Brings = Callable[[str, str], Sequence[str]]


@dataclass(frozen=True)
class Cure:
    """What ends some of the issues.  ``upgrade`` is a component and the lowest version; ``lines`` are to be pasted.

    A cure with neither is the last: its issues need what their own remedies say.
    """

    issues: tuple[Finding, ...]
    upgrade: tuple[str, str] | None = None
    lines: tuple[str, ...] = ()
    brings: tuple[str, ...] = ()

    def label(self) -> str:
        """The cure in words: ``upgrade to vLLM 0.32.0 or later``."""
        if self.upgrade:
            return f"upgrade to {COMPONENTS[self.upgrade[0]]} {self.upgrade[1]} or later"
        return "set" if self.lines else "no release or setting ends"


def lowest(spec: str) -> str | None:
    """The version from which on a range holds without an end: ``>=0.32.0``; None for another form."""
    match = re.fullmatch(r">=\s*([\w.]+)", spec)
    return match[1] if match else None


def _upgrades(remedy: Remedy) -> list[tuple[str, str]]:
    """The one component and version that a remedy asks for; nothing if it asks for more, or for lines beside it."""
    bounds = [(name, version) for name, spec in remedy.upgrade.items() if (version := lowest(spec))]
    return bounds if len(bounds) == len(remedy.upgrade) == 1 and not remedy.lines else []


def _by_upgrade(issues: Sequence[Finding], brings: Brings) -> list[Cure]:
    """Upgrades, the one that ends most first; each to the lowest version that ends all of its issues."""
    left = list(issues)
    upgrades: list[Cure] = []
    while left:
        ended: dict[str, dict[str, str]] = {}
        for issue in left:
            for remedy in issue.remedies:
                for component, version in _upgrades(remedy):
                    ended.setdefault(component, {}).setdefault(issue.id, version)
        if not ended:
            return upgrades
        component = max(ended, key=lambda name: (len(ended[name]), -list(COMPONENTS).index(name)))
        version = max(ended[component].values(), key=Version)
        chosen = tuple(issue for issue in left if issue.id in ended[component])
        left = [issue for issue in left if issue not in chosen]
        new = tuple(name for name in brings(component, version) if name not in {issue.id for issue in issues})
        upgrades.append(Cure(chosen, upgrade=(component, version), brings=new))
    return upgrades


def _by_lines(issues: Sequence[Finding]) -> list[Cure]:
    """Settings, the one that ends most first."""
    left = list(issues)
    settings: list[Cure] = []
    while left:
        ended: dict[tuple[str, ...], list[Finding]] = {}
        for issue in left:
            for remedy in issue.remedies:
                if remedy.lines:
                    ended.setdefault(remedy.lines, []).append(issue)
        if not ended:
            return settings
        best = max(ended, key=lambda pasted: len({issue.id for issue in ended[pasted]}))
        chosen = tuple(dict.fromkeys(issue.id for issue in ended[best]))
        settings.append(Cure(tuple(issue for issue in left if issue.id in chosen), lines=best))
        left = [issue for issue in left if issue.id not in chosen]
    return settings


def ranked(issues: Iterable[Finding]) -> list[Finding]:
    """Known issues of a confirmed kind first, then by id."""
    return sorted(issues, key=lambda issue: (RANK[issue.confidence], issue.id))


def cures(issues: Iterable[Finding], brings: Brings = lambda component, version: ()) -> list[Cure]:
    """Known issues grouped by what ends them."""
    everything = ranked(issues)
    upgrades = _by_upgrade(everything, brings)
    left = [issue for issue in everything if not any(issue in cure.issues for cure in upgrades)]
    settings = _by_lines(left)
    left = [issue for issue in left if not any(issue in cure.issues for cure in settings)]
    return [*upgrades, *settings, *([Cure(tuple(left))] if left else [])]
