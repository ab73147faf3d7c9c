"""Whether a name exists in the releases that a page claims, by the contracts of ``make releases``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools.names.named import SYSTEM, Named
from verl_rocm.facts.base import Facts
from verl_rocm.facts.contract import Names
from verl_rocm.facts.releases import HERE, Release, release

Has = Callable[[Release], bool]
SECTIONS: dict[str, Names] = {"sampling": "sampling_params", "compilation": "compilation_config"}
ENGINE = "actor_rollout_ref.rollout.engine_kwargs."
ENV_VARS = "ray_kwargs.ray_init.runtime_env.env_vars."


@dataclass(frozen=True)
class Judge:
    """Answers for the stored releases; ``facts`` adds variables that something other than vLLM and verl reads."""

    facts: Facts
    folder: Path = HERE

    def contracts(self, project: str, versions: Iterable[str] | None = None) -> list[Release]:
        """Contracts of these releases, or of all stored ones."""
        chosen = self.facts.releases[project] if versions is None else versions
        return [release(project, v, self.folder) for v in chosen]

    @cached_property
    def read_elsewhere(self) -> set[str]:
        """Variables that ROCm, torch, Ray and others read, by the evidence of their setting."""
        settings = [k for k in self.facts.settings.values() if k.where == "env"]
        return SYSTEM | {k.name for k in settings if k.read_by.split()[0] not in ("vllm", "verl", "nobody")}

    @cached_property
    def words(self) -> set[str]:
        """Names of vLLM arguments that any stored release has or had; other words of a page are just words."""
        sections: tuple[Names, ...] = ("engine_args", "llm", "compilation_config")
        return {name for c in self.contracts("vllm") for s in sections for name in c.section(s)}

    def faults(self, named: Named, vllm: Sequence[str], verl: Sequence[str]) -> Iterator[str]:
        """One line for each project in whose claimed releases the name does not exist."""
        if named.kind == "override":
            yield from self._override(named, vllm, verl)
        elif named.kind in ("env", "env prefix"):
            yield from self._variable(named, vllm, verl)
        elif named.kind != "word" or named.name.removeprefix("no_") in self.words:
            yield from self._missing(named.name, "vllm", vllm, lambda c: _has(c, named.kind, named.name))

    def _missing(
        self, name: str, project: str, claimed: Sequence[str], has: Callable[[Release], bool]
    ) -> Iterator[str]:
        absent = [c.version for c in self.contracts(project, claimed) if not has(c)]
        if absent:
            having = [c.version for c in self.contracts(project) if has(c)]
            yield f"{project} {', '.join(absent)} has no {name}{_since(having)}"

    def _override(self, named: Named, vllm: Sequence[str], verl: Sequence[str]) -> Iterator[str]:
        key = named.name.lstrip("+")
        plus = len(named.name) - len(key)
        if f"{key}." == ENV_VARS:
            return
        if key.startswith(ENV_VARS):
            yield from self._variable(Named("env", key.removeprefix(ENV_VARS), named.path, named.line), vllm, verl)
            return
        if key.startswith(f"{ENGINE}vllm."):
            inner, _, rest = key.removeprefix(f"{ENGINE}vllm.").partition(".")
            yield from self._missing(inner, "vllm", vllm, lambda c: _has(c, "argument", inner))
            if inner == "compilation_config" and rest:
                yield from self._missing(rest, "vllm", vllm, lambda c: _has(c, "compilation", rest.partition(".")[0]))
            return
        yield from self._missing(key, "verl", verl, lambda c: _has_key(c, key))
        for contract in self.contracts("verl", verl):
            entry = contract.override(key)
            if entry and entry.get("add") and not plus:
                yield f"verl {contract.version} has {key} in its dataclass only; write +{key}"
            elif entry and not entry.get("add") and plus == 1:
                yield f"verl {contract.version} has {key} already and refuses +; write {key} or ++{key}"

    def _variable(self, named: Named, vllm: Sequence[str], verl: Sequence[str]) -> Iterator[str]:
        name = named.name
        if name in self.read_elsewhere:
            return
        claimed = self.contracts("vllm", vllm) + self.contracts("verl", verl)
        if named.kind == "env prefix":
            if not any(v.startswith(name) for c in claimed for v in c.section("env")):
                yield f"no claimed release reads a variable that starts with {name}"
            return
        if name.startswith("VERL_"):
            project, releases = "verl", verl
        elif any(_reads(c, name) for c in self.contracts("verl", verl)) and not name.startswith("VLLM_"):
            return
        else:
            project, releases = "vllm", vllm
        absent = [c.version for c in self.contracts(project, releases) if not _reads(c, name)]
        if absent:
            having = [c.version for c in self.contracts(project) if c.reads(name)]
            yield f"{project} {', '.join(absent)} does not read {name}{_since(having)}"


def _reads(contract: Release, name: str) -> bool:
    return contract.reads(name) is not False  # None: only part of its source was seen


def _has(contract: Release, kind: str, name: str) -> bool:
    if kind in SECTIONS:
        return name in contract.section(SECTIONS[kind])
    if kind == "method":
        method, _, argument = name.partition(".")
        entry = contract.sections.get("llm_methods", {}).get(method)
        return entry is not None and (not argument or argument in entry["arguments"])
    plain = name.removeprefix("no_") if kind in ("word", "argument") else name
    result = any(contract.engine_argument(n) is not None for n in (name, plain))
    return result or (kind == "word" and plain in contract.section("compilation_config"))


def _has_key(contract: Release, key: str) -> bool:
    if contract.override(key) is not None:
        return True
    keys = [*contract.section("keys"), *contract.section("megatron_keys")]
    if any(k.startswith(f"{key}.") for k in keys):  # a node, such as actor_rollout_ref.rollout
        return True
    parts = key.split(".")
    parents = [".".join(parts[:i]) for i in range(2, len(parts))]
    return any((contract.override(p) or {}).get("default", 0) in ({}, None) for p in parents if contract.override(p))


def _since(having: list[str]) -> str:
    if not having:
        return "; no stored release does"
    return f"; {having[0]} to {having[-1]} do" if len(having) > 1 else f"; {having[0]} does"
