"""The files under ``snippets/`` that hold what a command printed: regions of a page, written by programs."""

from __future__ import annotations

from collections.abc import Mapping


def output(regions: Mapping[str, str]) -> str:
    """The text of such a file: each printed text between the markers of its region, with an empty line between two."""
    return "\n".join(f"# [start:{name}]\n{text.rstrip()}\n# [end:{name}]\n" for name, text in regions.items())
