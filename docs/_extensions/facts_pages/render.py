"""What each directive shows. It depends on the facts and the options alone, so that a digest of it tells whether a
page is out of date."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from docutils import nodes

from facts_pages import gpus, images, issues, releases, settings
from facts_pages.markup import bullets
from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Issue, Setting

Options = dict[str, str]
Key = tuple[str, tuple[tuple[str, str], ...]]


def _settings(facts: Facts, options: Options) -> list[nodes.Node]:
    result = settings.select(facts, options)
    if "brief" in options:
        return [bullets((settings.line(facts, setting) for setting in result), "fact-list")] if result else []
    return [settings.entry(facts, setting) for setting in result]


def _issues(facts: Facts, options: Options) -> list[nodes.Node]:
    result = issues.select(facts, options)
    if "brief" in options:
        return [bullets((issues.line(facts, issue) for issue in result), "fact-list")] if result else []
    return [issues.entry(facts, issue) for issue in result]


def _gpus(facts: Facts, options: Options) -> list[nodes.Node]:
    if not facts.gpus:
        return []
    return [gpus.compare(facts)] if "brief" in options else [gpus.entry(gpu) for gpu in facts.gpus.values()]


def _images(facts: Facts, options: Options) -> list[nodes.Node]:
    if not facts.images:
        return []
    if "brief" in options:
        return [images.compare(facts)]
    return [images.entry(facts, image) for image in facts.images.values()]


def _role(facts: Facts, options: Options) -> list[nodes.Node]:
    entry = find(facts, options["kind"], options["target"])
    return [nodes.Text(f"{entry.id} {getattr(entry, 'title', '')}")] if entry else []


RENDERERS: dict[str, Callable[[Facts, Options], list[nodes.Node]]] = {
    "settings": _settings,
    "known-issues": _issues,
    "gpu-table": _gpus,
    "image-table": _images,
    "release-values": releases.values,
    "release-names": releases.list_of_names,
    "release-changes": releases.changes,
    "facts-summary": lambda facts, options: releases.summary(facts),
    "role": _role,
}


def find(facts: Facts, kind: str, target: str) -> Setting | Issue | None:
    """The entry that a role names: by id, or a setting by its name if only one has it."""
    if kind == "issue":
        return facts.issues.get(target)
    named = [setting for setting in facts.settings.values() if setting.name == target]
    return facts.settings.get(target) or (named[0] if len(named) == 1 else None)


def render(facts: Facts, key: Key) -> list[nodes.Node]:
    """The nodes of a directive with its options; none if nothing matches."""
    return RENDERERS[key[0]](facts, dict(key[1]))


def digest(children: Iterable[nodes.Node]) -> str:
    """One value for what is shown; empty if that is nothing, which is out of date in every build."""
    text = "\0".join(node.pformat() for node in children)
    return hashlib.sha256(text.encode()).hexdigest() if text else ""
