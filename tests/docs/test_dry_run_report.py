"""The reference page of the reports has an entry, with the anchor that links use, for each id of a dry run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tools.environment import ROOT

FINDINGS = ROOT / "verl_rocm" / "dryrun" / "findings.py"
PAGE = ROOT / "docs" / "reference" / "dry-run-report.rst"
MEMORY = ("weights-do-not-fit", "kv-cache-too-small", "kv-cache-preempts")  # of dryrun/memory.py


def ids(file: Path) -> set[str]:
    """The first argument of every finding that the rules make."""
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    named = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "_finding"]
    return {str(argument.value) for argument in named if isinstance(argument, ast.Constant)}


def test_each_id_has_an_entry_and_each_entry_an_id() -> None:
    """A rule that is added, renamed or taken away fails here until the page follows."""
    titles = set(re.findall(r"^([a-z0-9-]+)\n~+$", PAGE.read_text(), re.MULTILINE))
    assert titles == ids(FINDINGS) | {"variable-not-read", *MEMORY}
