"""The Makefile's recipes hold in a folder whose path has a space."""

import re

from tools.environment import ROOT


def test_interpreters_are_quoted() -> None:
    """Their path is that of the checkout: an unquoted one is split at a space."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    uses = re.findall(r'"?\$\$(?:engine|docs|python)\b"?', text)
    assert len(uses) > 8
    assert [use for use in uses if not (use[0] == use[-1] == '"')] == []
