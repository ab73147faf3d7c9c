"""What the guide needs of a verl release, from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import yaml
from pydantic import JsonValue

from tools.contracts.download import Unpacked
from tools.contracts.environment import scan
from tools.contracts.fields import class_fields
from tools.contracts.symbols import Sources
from verl_rocm.facts.contract import Contract, Name, Places

TRAINERS: dict[Literal["keys", "megatron_keys"], str] = {"keys": "ppo_trainer", "megatron_keys": "ppo_megatron_trainer"}
ENGINE_CALLS = ("LLM", "AsyncEngineArgs")


def contract(unpacked: Unpacked) -> Contract:
    """Sections of the contract; every override key, engine argument and variable is a key of its own."""
    sources = Sources(unpacked.root)
    out: Contract = {"source": unpacked.source, "whole": True}
    for section, trainer in TRAINERS.items():
        out[section] = _keys(sources, _config(unpacked.root / "verl" / "trainer" / "config", trainer))
    common = out["keys"]
    out["megatron_keys"] = {k: v for k, v in out["megatron_keys"].items() if common.get(k) != v}
    out["passed"] = _passed(unpacked.root / "verl" / "workers" / "rollout" / "vllm_rollout")
    out["false_flags"] = {"branch": _false_flags(unpacked.root / "verl" / "workers" / "rollout" / "vllm_rollout")}
    out["env"] = scan(unpacked.root, "verl")
    out["env_set"] = _env_set(unpacked.root)
    out["requires"] = _requires(unpacked.root)
    return out


def _config(folder: Path, trainer: str) -> dict[str, JsonValue]:
    """The whole configuration of a trainer: the composed copy that verl ships, or the file that needs no composing."""
    for name in (f"_generated_{trainer}.yaml", f"{trainer}.yaml"):
        if (folder / name).is_file():
            loaded: dict[str, JsonValue] = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
            return loaded
    raise LookupError(f"no configuration {trainer} in {folder}; the release moved it, teach {__name__} where it went")


def _keys(sources: Sources, config: dict[str, JsonValue]) -> dict[str, Name]:
    """Override keys with defaults.

    ``dataclass`` is the default of the class behind a node where it differs from the file's. ``add`` marks a field
    that only the class has, which an override must add with ``+``.
    """
    out: dict[str, Name] = {}
    for key, value in _leaves(config):
        out[key] = {"default": value}
    for node, target in _targets(config):
        where, _, name = target.rpartition(".")
        module = sources.module(where)
        symbol = sources.find_class(module, name) if module else None
        for field, entry in class_fields(sources, *symbol).items() if symbol else ():
            key = f"{node}.{field}"
            if key not in out and not any(k.startswith(f"{key}.") for k in out):
                out[key] = entry | {"add": True}
            elif "default" in entry and out.get(key, entry)["default"] != entry["default"]:
                out[key] |= {"dataclass": entry["default"]}
    return out


def _leaves(node: dict[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    for name, value in node.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        elif name not in ("_target_", "defaults"):
            yield f"{prefix}{name}", value


def _targets(node: dict[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(target := node.get("_target_"), str):
        yield prefix.rstrip("."), target
    for name, value in node.items():
        if isinstance(value, dict):
            yield from _targets(value, f"{prefix}{name}.")


def _passed(folder: Path) -> dict[str, Places]:
    """Engine arguments that verl names itself: by file, the expression that it passes."""
    out: dict[str, Places] = {}
    for path in sorted(folder.glob("*.py")):
        for name, value in _engine_arguments(ast.parse(path.read_text(encoding="utf-8"))):
            out.setdefault(name, {})[path.stem] = ast.unparse(value)
    return out


def _engine_arguments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), keywords=keywords) if name in ENGINE_CALLS:
                yield from ((k.arg, k.value) for k in keywords if k.arg)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() as table) if _is_arguments(name):
                yield from _items(table)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="args"), attr="update"), args=[ast.Dict() as table]):
                yield from _items(table)
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key)))]):
                if _is_arguments(name):
                    yield key, node.value


def _is_arguments(name: str) -> bool:
    return name == "args" or name in ("dp_args", "lora_args", "server_args")


def _items(table: ast.Dict) -> Iterator[tuple[str, ast.expr]]:
    for key, value in zip(table.keys, table.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value, value


def _false_flags(folder: Path) -> str | None:
    """The branch that turns a boolean argument into a flag of ``vllm serve``; what it omits for False is dropped."""
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.If) and re.fullmatch(r"isinstance\(v\w*, bool\)", ast.unparse(node.test)):
                return "; ".join(ast.unparse(item) for item in node.body)
    return None


def _env_set(root: Path) -> dict[str, Places]:
    """Variables that verl sets itself: by file, the expression of the value."""
    out: dict[str, Places] = {}
    for path in sorted((root / "verl").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "environ" in text or "env_vars" in text:
            for name, value in _assignments(ast.parse(text)):
                out.setdefault(name, {})[path.relative_to(root).as_posix()] = ast.unparse(value)
    return out


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Subscript(value=owner, slice=ast.Constant(value=str(name)))]):
                if ast.unparse(owner).endswith(("environ", "env_vars", "env_vars']")):
                    yield name, node.value
            case ast.Dict():
                tables = [v for k, v in _items(node) if k == "env_vars"]
                yield from (i for t in tables if isinstance(t, ast.Dict) for i in _spread(tree, t))
            case ast.FunctionDef(name=name) if name.endswith("env_vars"):
                returned = (r.value for r in ast.walk(node) if isinstance(r, ast.Return))
                yield from (i for t in returned if isinstance(t, ast.Dict) for i in _items(t))


def _spread(tree: ast.Module, table: ast.Dict) -> Iterator[tuple[str, ast.expr]]:
    """The items of a table and of those that it takes in with ``**name``, whatever their condition."""
    yield from _items(table)
    taken = {
        value.id
        for key, value in zip(table.keys, table.values, strict=True)
        if key is None and isinstance(value, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() as more) if name in taken:
                yield from _items(more)


def _requires(root: Path) -> dict[str, list[str]]:
    """Requirements on vLLM, Ray and torch as the package declares them."""
    out: dict[str, list[str]] = {}
    for path in [*root.glob("*.dist-info/METADATA"), *root.glob("PKG-INFO")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := re.match(r"Requires-Dist: (vllm|ray|torch|sglang)(?![-\w])(.*)", line):
                out.setdefault(match[1], []).append(match[2].strip())
    return out
