"""Words that pages must not use, from ``tools/words.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

LIST = Path(__file__).parent.parent / "words.toml"
NO_PROSE = re.compile(r"``[^`]*``|:[\w-]+:`[^`]*`|<https?://[^>]+>|https?://\S+|\"[^\"]*\"")


def load(path: Path = LIST) -> dict[re.Pattern[str], str]:
    """What to write instead of each pattern."""
    words: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))["words"]
    return {re.compile(pattern, re.IGNORECASE): better for pattern, better in words.items()}


def faults(path: Path, shown: str, words: dict[re.Pattern[str], str]) -> Iterator[str]:
    """One line for each word of the list in the prose of a page; ``shown`` is how the page is named."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        prose = NO_PROSE.sub(" ", line).strip()
        for pattern, better in words.items():
            if match := pattern.search(prose):
                yield f"{shown}:{number}: do not write {match[0]!r}; write: {better}"
