"""A user's overrides as text."""

from __future__ import annotations

from collections.abc import Iterable


def bare(override: str) -> str:
    """The key of an override without ``+``, ``~`` and package."""
    return override.partition("=")[0].lstrip("+~").partition("@")[0]


def by_key(overrides: Iterable[str]) -> dict[str, str]:
    """Each override's text by bare key; the last one counts, as in Hydra."""
    return {bare(item): item.partition("=")[2] for item in overrides if "=" in item}
