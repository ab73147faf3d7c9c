"""What the guide needs of a vLLM release, from its source."""

from __future__ import annotations

import ast
import re
from typing import Literal

from tools.contracts.download import Unpacked
from tools.contracts.environment import scan
from tools.contracts.fields import arguments, class_fields
from tools.contracts.symbols import Module, Sources
from verl_rocm.facts.contract import Contract, Graphs, Method, Rocm

Function = ast.FunctionDef | ast.AsyncFunctionDef
CLASSES: dict[Literal["engine_args", "compilation_config", "sampling_params"], tuple[str, str]] = {
    "engine_args": ("vllm.engine.arg_utils", "EngineArgs"),
    "compilation_config": ("vllm.config", "CompilationConfig"),
    "sampling_params": ("vllm.sampling_params", "SamplingParams"),
}


def contract(unpacked: Unpacked) -> Contract:
    """Sections of the contract; every name is a key, so that a line of the file is one name."""
    sources = Sources(unpacked.root)
    out: Contract = {"source": unpacked.source, "whole": unpacked.whole}
    for section, (where, name) in CLASSES.items():
        out[section] = class_fields(sources, *_class(sources, where, name))
    methods = _methods(sources, *_class(sources, "vllm.entrypoints.llm", "LLM"))
    owner, init = methods.pop("__init__")
    out["llm"] = arguments(sources, owner, init)
    out["llm_methods"] = {name: _signature(sources, *result) for name, result in methods.items() if name[0] != "_"}
    out["env"] = scan(unpacked.root, "vllm", unpacked.whole)
    out["rocm"] = _rocm(sources, unpacked)
    out["graphs"] = _graphs(sources)
    return out


def _class(sources: Sources, where: str, name: str) -> tuple[Module, ast.ClassDef]:
    module = sources.module(where)
    symbol = sources.find_class(module, name) if module else None
    if not symbol:
        raise LookupError(f"{where} has no class {name}; the release moved it, teach {__name__} where it went")
    return symbol


def _methods(sources: Sources, module: Module, node: ast.ClassDef) -> dict[str, tuple[Module, Function]]:
    """Methods by name, those of the class before those of its bases, without typing overloads."""
    out: dict[str, tuple[Module, Function]] = {}
    for owner, cls in reversed(sources.bases(module, node)):
        for item in cls.body:
            if isinstance(item, Function) and not any("overload" in ast.unparse(d) for d in item.decorator_list):
                out[item.name] = (owner, item)
    return out


def _signature(sources: Sources, module: Module, function: Function) -> Method:
    out: Method = {"arguments": arguments(sources, module, function)}
    if function.returns:
        out["returns"] = ast.unparse(function.returns)
    return out


def _rocm(sources: Sources, unpacked: Unpacked) -> Rocm:
    """Sleep mode as the platform answers for it, and for which platforms the allocator of sleep mode is built."""
    out: Rocm = {}
    interface = sources.module("vllm.platforms.interface")
    returns = _returns(interface, "is_sleep_mode_available")
    if returns:
        out["sleep_mode"] = "ROCM" in returns
        out["sleep_mode_rule"] = returns
    else:  # before 0.8.5 the check stood in the configuration and named one platform
        config = sources.module("vllm.config")
        refusal = re.search(r'"(Sleep mode is only supported on [^"]*)"', config.path.read_text()) if config else None
        out["sleep_mode"] = False if refusal else None
        out["sleep_mode_rule"] = refusal.group(1) if refusal else None
    setup = unpacked.root / "setup.py"
    if setup.is_file():
        out["sleep_allocator_built_if"] = _condition(
            ast.parse(setup.read_text(encoding="utf-8")), "vllm.cumem_allocator"
        )
    cmake = unpacked.root / "CMakeLists.txt"
    text = cmake.read_text(encoding="utf-8") if cmake.is_file() else ""
    if archs := re.search(r'set\(HIP_SUPPORTED_ARCHS "([^"]+)"', text):
        out["archs"] = archs[1].split(";")
    if torch := re.search(r'set\(TORCH_SUPPORTED_VERSION_ROCM "([^"]+)"', text):
        out["torch"] = torch[1]
    return out


def _returns(module: Module | None, name: str) -> str | None:
    for node in ast.walk(module.tree) if module else ():
        if isinstance(node, Function) and node.name == name:
            return "; ".join(ast.unparse(n.value) for n in ast.walk(node) if isinstance(n, ast.Return) and n.value)
    return None


def _condition(tree: ast.Module, text: str) -> str | None:
    """The test of the innermost top-level ``if`` whose body names ``text``."""
    for node in tree.body:
        if isinstance(node, ast.If) and f"{text!r}" in "".join(ast.unparse(b) for b in node.body):
            return _condition(ast.Module(node.body, []), text) or ast.unparse(node.test)
    return None


def _graphs(sources: Sources) -> Graphs:
    """Default mode, by optimisation level where there is one, and the expressions that make the default sizes."""
    out: Graphs = {}
    for name in ("vllm.config.vllm", "vllm.config"):
        module = sources.module(name)
        if (
            module is None
            or "VllmConfig" not in module.names
            or not isinstance(module.names["VllmConfig"], ast.ClassDef)
        ):
            continue
        levels = {
            f"O{int(key.rpartition('_')[2])}": mode
            for key, node in module.names.items()
            if key.startswith("OPTIMIZATION_LEVEL_0") and (mode := _mode(node))
        }
        if levels:
            fields = class_fields(sources, module, module.names["VllmConfig"])
            declared = fields.get("optimization_level", {})
            level = declared.get("expr", "").rpartition(".")[2] or declared.get("default")
            out |= {"mode_by_level": levels, "default_level": level, "default_mode": levels.get(str(level))}
        else:
            out["default_mode"] = _first_mode(module)
        out["default_sizes"] = _sizes(module)
        break
    return out


def _mode(node: ast.stmt) -> str | None:
    for table in (n for n in ast.walk(node) if isinstance(n, ast.Dict)):
        for key, item in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "cudagraph_mode" and isinstance(item, ast.Attribute):
                return item.attr
    return None


def _first_mode(module: Module) -> str | None:
    """The first mode assigned under ``if ... cudagraph_mode is None``."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("cudagraph_mode is None"):
            for item in ast.walk(node):
                if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]).endswith(".cudagraph_mode"):
                    return ast.unparse(item.value).rpartition(".")[2]
    return None


def _sizes(module: Module) -> list[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, Function) and node.name == "_set_cudagraph_sizes":
            values = [n.value for n in ast.walk(node) if isinstance(n, ast.Assign | ast.AugAssign)]
            texts = [ast.unparse(v) for v in values]
            return [
                t for t in dict.fromkeys(texts) if "range(" in t or "min(" in t or re.match(r"\[1, 2, 4|\[i for", t)
            ]
    return []
