"""Which environment variables the source of a release reads: Python, setup.py, C++, CMake and Rust."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue

from tools.contracts.fields import plain
from verl_rocm.facts.contract import Name

NAME_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
CPP_CALL = re.compile(r"\bgetenv\(\s*(?:\"(\w+)\"|(\w+))\s*\)")
CPP_CONSTANT = re.compile(r"\b(\w+)(?:\[\])?\s*(?:=|\s)\s*\"([A-Z][A-Z0-9_]*)\"")
CMAKE = re.compile(r"(?:\$|\bDEFINED\s+)ENV\{(\w+)\}")
RUST = re.compile(r"env::var(?:_os)?\(\s*\"(\w+)\"")
WORD = re.compile(r"\b[A-Z][A-Z0-9_]{3,}\b")


def scan(root: Path, package: str, whole: bool = True) -> dict[str, Name]:
    """Variables by name: ``by`` (kinds of source that read it), ``default`` and ``values`` where ``envs.py`` has them.

    ``unused`` marks a variable that ``envs.py`` declares and no other file of a ``whole`` release asks for.
    """
    entries: dict[str, Name] = {}
    declared = _declared(root / package / "envs.py")
    used: set[str] = set()
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path == root / package / "envs.py":
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".py" and "envs" in text:  # envs.NAME, from vllm.envs import NAME, getattr(envs, "NAME")
            used.update(WORD.findall(text))
        kind, names = _reads(path, text)
        for name in names:
            _add(entries, name, kind)
    for name, entry in declared.items():
        _add(entries, name, "envs.py")
        entries[name] |= entry
        if whole and name not in used and entries[name]["by"] == ["envs.py"]:
            entries[name]["unused"] = True
    return entries


def _add(entries: dict[str, Name], name: str, kind: str) -> None:
    entry = entries.setdefault(name, {"by": []})
    entry["by"] = sorted({*entry["by"], kind})


def _reads(path: Path, text: str) -> tuple[str, Iterator[str] | list[str]]:
    if path.suffix == ".py":
        if "environ" not in text and "getenv" not in text:
            return "python", []
        try:
            tree = ast.parse(text)
        except SyntaxError:  # templates of generated code
            return "python", []
        return ("setup.py" if path.name == "setup.py" else "python"), python_reads(tree)
    if path.name == "CMakeLists.txt" or path.suffix == ".cmake":
        return "cmake", CMAKE.findall(re.sub(r"#.*", "", text))
    if path.suffix == ".rs":
        return "rust", RUST.findall(re.sub(r"//.*", "", text))
    if "getenv" in text:
        text = re.sub(r"//.*", "", text)
        constants = dict(CPP_CONSTANT.findall(text))
        names = (literal or constants.get(name, "") for literal, name in CPP_CALL.findall(text))
        return "c++", [n for n in names if n]
    return "c++", []


def python_reads(tree: ast.AST) -> Iterator[str]:
    """Names that a Python file reads from ``os.environ`` or with ``os.getenv``, constants resolved."""
    nodes = list(ast.walk(tree))
    constants = {
        t.id: node.value.value
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for t in node.targets
        if isinstance(t, ast.Name)
    }
    for node in nodes:
        key = _key(node)
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and NAME_PATTERN.match(key.value):
            yield key.value
        elif isinstance(key, ast.Name) and NAME_PATTERN.match(constants.get(key.id, "")):
            yield constants[key.id]


def _key(node: ast.AST) -> ast.expr | None:
    match node:
        case ast.Call(func=ast.Attribute(attr="getenv") | ast.Name(id="getenv"), args=[key, *_]):
            return key
        case ast.Call(func=ast.Attribute(value=owner, attr="get" | "pop" | "setdefault"), args=[key, *_]):
            return key if _is_environ(owner) else None
        case ast.Subscript(value=owner, slice=key, ctx=ast.Load()):
            return key if _is_environ(owner) else None
        case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[owner]):
            return key if _is_environ(owner) else None
    return None


def _is_environ(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "environ"


def _declared(path: Path) -> dict[str, Name]:
    """Entries of ``environment_variables`` in ``envs.py``: the text that stands for "not set", and allowed values."""
    if not path.is_file():
        return {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if "environment_variables" in (getattr(t, "id", "") for t in targets):
                pairs = zip(node.value.keys, node.value.values, strict=True)
                return {str(k.value): _default(v) for k, v in pairs if isinstance(k, ast.Constant)}
    return {}


def _default(node: ast.expr) -> Name:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and call.args:
            name = ast.unparse(call.func).rpartition(".")[2]
            if name in ("getenv", "get") and _key(call) is not None:
                return {"default": _literal(call.args[1]) if len(call.args) > 1 else None}
            if name.startswith("env_") and len(call.args) > 1:
                entry: Name = {"default": _literal(call.args[1])}
                values = _literal(call.args[2]) if len(call.args) > 2 else None
                return entry | ({"values": values} if isinstance(values, list) else {})
    return {}


def _literal(node: ast.expr) -> JsonValue:
    try:
        return plain(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError):
        return ast.unparse(node)
