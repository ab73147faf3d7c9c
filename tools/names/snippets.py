"""Names in snippets: keyword arguments, ``compilation_config`` keys, overrides and environment variables."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tools.names.named import ENV, ENV_NAME, Kind, Named, environment, overrides, shell

CALLS: dict[str, Kind] = {
    "LLM": "argument",
    "EngineArgs": "argument",
    "AsyncEngineArgs": "argument",
    "SamplingParams": "sampling",
    "CompilationConfig": "compilation",
}
METHODS = ("sleep", "wake_up", "release_kv_cache_memory", "collective_rpc", "generate", "reset_prefix_cache")


def names_in(path: Path, shown: str) -> list[Named]:
    """All names of one snippet file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return list(dict.fromkeys(python(text, shown)))
    items = [n for i, line in enumerate(text.splitlines(), start=1) for n in shell(line, shown, i)]
    if path.suffix in (".yaml", ".yml"):
        for number, line in enumerate(text.splitlines(), start=1):
            items += environment(line.partition("#")[0], shown, number)
    return list(dict.fromkeys(items))


def python(text: str, shown: str) -> Iterator[Named]:
    """Names in Python source."""
    tree = ast.parse(text)
    tables: dict[str, ast.expr] = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict | ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    engines = {"llm"} | {n for n, v in tables.items() if isinstance(v, ast.Call) and _callee(v) == "LLM"}
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                yield from _call(node, tables, engines, shown)
            case ast.Dict():
                yield from _table(node, shown)
            case ast.Subscript(value=owner, slice=ast.Constant(value=str(name))) if _is_environ(owner):
                yield Named("env", name, shown, node.lineno)
            case ast.Constant(value=str(words)):
                for offset, line in enumerate(words.splitlines()):
                    yield from overrides(line, shown, node.lineno + offset)


def _call(node: ast.Call, tables: dict[str, ast.expr], engines: set[str], shown: str) -> Iterator[Named]:
    name = _callee(node)
    if name in CALLS:
        for key, line in _keywords(node, tables):
            yield Named(CALLS[name], key, shown, line)
    for keyword in node.keywords:
        if keyword.arg == "compilation_config" and isinstance(keyword.value, ast.Dict):
            yield from _compilation(keyword.value, shown)
    match node.func:
        case ast.Attribute(value=ast.Name(id=owner), attr=method) if owner in engines and method in METHODS:
            yield Named("method", method, shown, node.lineno)
            yield from (Named("method", f"{method}.{k.arg}", shown, node.lineno) for k in node.keywords if k.arg)
        case ast.Attribute(value=owner, attr="get" | "pop" | "setdefault" | "getenv"):
            if node.args and (_is_environ(owner) or node.func.attr == "getenv"):
                match node.args[0]:
                    case ast.Constant(value=str(read)) if re.match(ENV, read):  # any other is the snippet's own
                        yield Named("env", read, shown, node.lineno)


def _keywords(node: ast.Call, tables: dict[str, ast.expr]) -> Iterator[tuple[str, int]]:
    """Keywords of a call, and those of a dictionary of the same file that it spreads."""
    for keyword in node.keywords:
        if keyword.arg:
            yield keyword.arg, keyword.value.lineno
            continue
        spread = tables.get(getattr(keyword.value, "id", ""), keyword.value)
        if isinstance(spread, ast.Dict):
            yield from ((k.value, k.lineno) for k in spread.keys if isinstance(k, ast.Constant))  # type: ignore[misc]
        elif isinstance(spread, ast.Call) and _callee(spread) == "dict":
            yield from _keywords(spread, {})


def _table(node: ast.Dict, shown: str) -> Iterator[Named]:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            if ENV_NAME.fullmatch(key.value):
                yield Named("env", key.value, shown, key.lineno)
            if key.value == "compilation_config" and isinstance(value, ast.Dict):
                yield from _compilation(value, shown)


def _compilation(node: ast.Dict, shown: str) -> Iterator[Named]:
    for key in node.keys:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield Named("compilation", key.value, shown, key.lineno)


def _callee(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def _is_environ(node: ast.expr) -> bool:
    return re.fullmatch(r"(os\.)?environ", ast.unparse(node)) is not None
