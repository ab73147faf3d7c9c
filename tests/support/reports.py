"""Reports of a dry run as pages show them, compared with new ones."""

from __future__ import annotations

import re

KNOWN_ISSUES = (
    r"\A.*?(?=^dry run: )",  # the verdict: the worst of findings and known issues
    r"^known issues of this GPU.*?(?=^settings: )",
    r"\d+ known issues? met.*?(?=exit code)",
    r"^known issue [^\n]*\n(?: [^\n]*\n)*",  # a row of a comparison
    r"^\d+ differences$",
)


def settled(text: str) -> str:
    """The part that vLLM and verl decide, on one line; known issues change with every new fact."""
    for pattern in KNOWN_ISSUES:
        text = re.sub(pattern, "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"\s+", " ", text).strip()
