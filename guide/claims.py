"""Which regions the tests claim, read from their source without importing them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Claim:
    """A ``pytest.mark.block(file, *regions)`` in a test file: one region of it."""

    region: str
    path: str
    line: int


def _is_block_mark(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "block"
        and isinstance(node.func.value, ast.Attribute)
        and node.func.value.attr == "mark"
    )


def claims_in(path: Path, project: Path) -> Iterator[Claim]:
    """The claims of one test file; ``Claim.path`` is relative to ``project``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not _is_block_mark(node):
            continue
        assert isinstance(node, ast.Call)
        words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        for name in words[1:]:
            yield Claim(f"{words[0]}:{name}", path.relative_to(project).as_posix(), node.lineno)


def all_claims(project: Path) -> list[Claim]:
    """The claims of every test file under ``tests/snippets`` of ``project``."""
    tests = project / "tests" / "snippets"
    return [claim for path in sorted(tests.rglob("test_*.py")) for claim in claims_in(path, project)]
