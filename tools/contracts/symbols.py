"""Finds what a name means in the Python files of a release, with ``ast``; nothing is imported."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path


@dataclass
class Module:
    """One parsed file."""

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def names(self) -> dict[str, ast.stmt]:
        """Statements by the name that they define, one level into ``if`` and ``try`` blocks."""
        entries: dict[str, ast.stmt] = {}
        queue = list(self.tree.body)
        while queue:
            node = queue.pop(0)
            if isinstance(node, ast.If | ast.Try):
                queue += node.body + node.orelse
            for name in defines(node):
                entries[name] = node
        return entries


def defines(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [t.id for t in node.targets if isinstance(t, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        return [node.target.id]
    if isinstance(node, ast.ImportFrom):
        return [a.asname or a.name for a in node.names]
    return []


@dataclass
class Sources:
    """The Python files of one release below ``root``."""

    root: Path
    modules: dict[str, Module | None] = field(default_factory=dict)

    def module(self, name: str) -> Module | None:
        """The module of that dotted name, or None if the release does not have it."""
        if name not in self.modules:
            base = self.root.joinpath(*name.split("."))
            paths = [p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()]
            self.modules[name] = Module(name, paths[0]) if paths else None
        return self.modules[name]

    def find(self, module: Module, name: str, depth: int = 8) -> tuple[Module, ast.stmt] | None:
        """Where ``name`` as seen in ``module`` is defined, following imports."""
        node = module.names.get(name)
        if node is not None and not isinstance(node, ast.ImportFrom):
            return module, node
        if not depth:
            return None
        if isinstance(node, ast.ImportFrom):
            real = next((a.name for a in node.names if (a.asname or a.name) == name), name)
            origin = self.origin(module, node)
            return self.find(origin, real, depth - 1) if origin else None
        for statement in module.tree.body:
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                origin = self.origin(module, statement)
                if origin and (symbol := self.find(origin, name, depth - 1)):
                    return symbol
        return None

    def origin(self, module: Module, node: ast.ImportFrom) -> Module | None:
        """The module that an import statement of ``module`` names."""
        package = module.name.split(".")
        if node.level:
            up = node.level - (module.path.name == "__init__.py")
            package = package[: len(package) - up]
        return self.module(".".join([*(package if node.level else []), *([node.module] if node.module else [])]))

    def find_class(self, module: Module, name: str) -> tuple[Module, ast.ClassDef] | None:
        """The class of that name as seen in ``module``."""
        symbol = self.find(module, name)
        return (symbol[0], symbol[1]) if symbol and isinstance(symbol[1], ast.ClassDef) else None

    def bases(self, module: Module, node: ast.ClassDef) -> list[tuple[Module, ast.ClassDef]]:
        """The class itself and those of its bases that the release defines, most derived first."""
        items = [(module, node)]
        for base in node.bases:
            if isinstance(base, ast.Name) and (parent := self.find_class(module, base.id)):
                items += self.bases(*parent)
        return items


def is_enum(node: ast.ClassDef) -> bool:
    """Whether a class is an enumeration by the names of its bases."""
    return any("Enum" in ast.unparse(base) for base in node.bases)
