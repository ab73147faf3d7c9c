"""Fields, defaults and allowed values of the classes of a release."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from pydantic import JsonValue

from tools.contracts.symbols import Module, Sources, defines, is_enum
from verl_rocm.facts.contract import Name

FACTORIES: dict[str, JsonValue] = {"list": [], "dict": {}, "set": []}


@dataclass(frozen=True)
class Required:
    """There is no default."""


@dataclass(frozen=True)
class Unreadable:
    """A value that source alone does not give; its text is kept."""

    text: str


Default = JsonValue | Required | Unreadable


def class_fields(sources: Sources, module: Module, node: ast.ClassDef) -> dict[str, Name]:
    """Fields of a dataclass, pydantic model or struct that a caller may set: name to default and allowed values."""
    out: dict[str, Name] = {}
    for owner, cls in reversed(sources.bases(module, node)):
        for item in cls.body:
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
                continue
            if not (item.target.id.startswith("_") or "ClassVar" in ast.unparse(item.annotation) or _internal(item)):
                out[item.target.id] = entry(sources, owner, item.annotation, item.value)
    return out


def _internal(item: ast.AnnAssign) -> bool:
    """Fields that no caller may set: ``field(init=False)`` and pydantic's ``PrivateAttr``."""
    if isinstance(item.value, ast.Call):
        return any(k.arg == "init" and getattr(k.value, "value", None) is False for k in item.value.keywords)
    return isinstance(item.value, ast.Name) and item.value.id == "PrivateAttr"


def arguments(sources: Sources, module: Module, function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, Name]:
    """Arguments of a method without ``self``, in the same form as fields; ``**name`` stands for a catch-all."""
    args = function.args
    plain = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(args.defaults))
    pairs = [
        *zip(plain, [*defaults, *args.defaults], strict=True),
        *zip(args.kwonlyargs, args.kw_defaults, strict=True),
    ]
    out = {a.arg: entry(sources, module, a.annotation, d) for a, d in pairs if a.arg != "self"}
    if args.kwarg:
        out[f"**{args.kwarg.arg}"] = {}
    return out


def entry(sources: Sources, module: Module, annotation: ast.expr | None, default: ast.expr | None) -> Name:
    """``default`` (or ``expr`` where only its text is known, or ``required``) and ``values``."""
    match Required() if default is None else value(sources, module, default):
        case Required():
            out: Name = {"required": True}
        case Unreadable(text=text):
            out = {"expr": text}
        case literal:
            out = {"default": literal}
    listed, more = allowed(sources, module, annotation) if annotation else ([], True)
    if listed:
        out["values"] = list(dict.fromkeys(listed))
        if more:
            out["open"] = True
    return out


def value(sources: Sources, module: Module, node: ast.expr, depth: int = 6) -> Default:
    """The value of an expression, ``Required``, or ``Unreadable`` with its text."""
    text = Unreadable(ast.unparse(node))
    try:
        return plain(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError):
        pass
    got: Default = text
    match node:
        case ast.Name(id=name) if depth:
            symbol = sources.find(module, name)
            if symbol and isinstance(symbol[1], ast.Assign | ast.AnnAssign) and symbol[1].value:
                got = value(sources, symbol[0], symbol[1].value, depth - 1)
        case ast.Attribute(value=ast.Name(id=owner), attr=attr) if depth:
            got = _attribute(sources, module, owner, attr, depth)
        case ast.Call() if depth:
            got = _call(sources, module, node, depth)
    return text if isinstance(got, Unreadable) else got


def _attribute(sources: Sources, module: Module, owner: str, attr: str, depth: int) -> Default:
    """``Config.field`` as a default of another class, or a member of an enumeration."""
    symbol = sources.find_class(module, owner)
    for where, cls in sources.bases(*symbol) if symbol else []:
        for item in cls.body:
            if isinstance(item, ast.AnnAssign | ast.Assign) and attr in defines(item) and item.value:
                return attr if is_enum(cls) and not _by_value(cls) else value(sources, where, item.value, depth - 1)
    return Unreadable(attr)


def _call(sources: Sources, module: Module, node: ast.Call, depth: int) -> Default:
    """``field(default=...)``, ``Field(...)`` and ``get_field(Class, "name")``."""
    unread = Unreadable("")
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "get_field" and isinstance(node.args[0], ast.Name):
        return _attribute(sources, module, node.args[0].id, ast.literal_eval(node.args[1]), depth)
    if name not in ("field", "Field"):
        return unread
    keywords = {k.arg: k.value for k in node.keywords}
    first = keywords.get("default") or (node.args[0] if node.args else None)
    if first is not None:
        return Required() if ast.unparse(first) == "..." else value(sources, module, first, depth - 1)
    factory = keywords.get("default_factory")
    if factory is None:
        return Required()
    if isinstance(factory, ast.Lambda):
        return value(sources, module, factory.body, depth - 1)
    return FACTORIES.get(ast.unparse(factory), unread)


def allowed(sources: Sources, module: Module, node: ast.expr, depth: int = 6) -> tuple[list[JsonValue], bool]:
    """Values that an annotation lists, and whether it admits others besides (``None`` aside)."""
    match node:
        case ast.Constant(value=str(text)):
            return allowed(sources, module, ast.parse(text, mode="eval").body, depth)
        case ast.Constant(value=None):
            return [], False
        case ast.BinOp(left=left, right=right):
            return _union([allowed(sources, module, side, depth) for side in (left, right)])
        case ast.Subscript(value=head, slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            match ast.unparse(head).rpartition(".")[2]:
                case "Literal":
                    listed = [plain(p.value) for p in parts if isinstance(p, ast.Constant)]
                    nested = [allowed(sources, module, p, depth) for p in parts if not isinstance(p, ast.Constant)]
                    return listed + _union(nested)[0], False
                case "Annotated":
                    return allowed(sources, module, parts[0], depth)
                case "Optional" | "Union":
                    return _union([allowed(sources, module, p, depth) for p in parts])
        case ast.Name(id=name) if depth and (symbol := sources.find(module, name)):
            where, target = symbol
            if isinstance(target, ast.ClassDef) and is_enum(target):
                members = [item for item in target.body if isinstance(item, ast.Assign)]
                return [_member(item, _by_value(target)) for item in members], False
            if isinstance(target, ast.Assign | ast.AnnAssign) and target.value:
                return allowed(sources, where, target.value, depth - 1)
    return [], True


def _union(sides: list[tuple[list[JsonValue], bool]]) -> tuple[list[JsonValue], bool]:
    return [v for side in sides for v in side[0]], any(side[1] for side in sides)


def _by_value(cls: ast.ClassDef) -> bool:
    """Members of a string enumeration are typed by their value, those of any other by their name."""
    return any(ast.unparse(base) in ("str", "StrEnum", "enum.StrEnum") for base in cls.bases)


def _member(item: ast.Assign, by_value: bool) -> JsonValue:
    return plain(item.value.value) if by_value and isinstance(item.value, ast.Constant) else defines(item)[0]


def plain(got: object) -> JsonValue:
    """A literal as JSON keeps it; raises ValueError for what JSON cannot hold."""
    if isinstance(got, set | frozenset | tuple | list):
        return [plain(v) for v in (sorted(got, key=repr) if isinstance(got, set | frozenset) else got)]
    if isinstance(got, dict):
        return {str(k): plain(v) for k, v in got.items()}
    if got is None or isinstance(got, bool | int | float | str):
        return got
    raise ValueError(got)
