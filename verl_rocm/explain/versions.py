"""Releases and GPUs that a log names, each as the programs print them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Issue
from verl_rocm.facts.versions import parse

KEPT = 4  # releases of a component; a log of more jobs than that says little about any of them
_V = r"(?P<version>\d+\.\d+[\w.]*(?:\+[\w.]+)?)"
# The text that only such a line has, for the search, and the pattern. Sources: vLLM's start and its collect_env,
# `pip list` and `pip freeze`, names of wheels, Ray's start.
PATTERNS: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (component, trigger, re.compile(pattern))
    for component, trigger, pattern in (
        ("vllm", "LLM engine (v", rf"LLM engine \(v{_V}\)"),
        ("vllm", "API server version", rf"vLLM API server version v?{_V}"),
        ("vllm", "vLLM Version", rf"vLLM Version\s*:\s*v?{_V}"),
        ("vllm", "version [93m", rf"vLLM.*\bversion v?{_V}"),
        ("torch", "PyTorch version", rf"PyTorch version\s*:\s*{_V}"),
        ("rocm", "ROCM used to build", rf"ROCM used to build PyTorch\s*:\s*{_V}"),
        ("rocm", "HIP runtime version", rf"HIP runtime version\s*:\s*{_V}"),
        ("rocm", "ROCm version", rf"ROCm [Vv]ersion\s*[:=]?\s*{_V}"),
        ("ray", "Ray version", rf"Ray version\s*:?\s*{_V}"),
    )
) + tuple(
    (name, f"{name}{joint}", re.compile(rf"(?:^|[\s'\"\[/]){name}{re.escape(joint)}\s*{_V}"))
    for name in ("vllm", "verl", "torch", "ray")
    for joint in ("==",)
)
_EGG = re.compile(r"/(vllm|verl|torch|ray)-(\d+\.\d+[\w.+]*?)(?:-py3|-cp3|\.dist-info|\.egg)")
_GPU = re.compile(r"AMD[ _]Instinct[ _](MI\d+\w*)")
_ARCH = re.compile(r"\b(gfx[0-9a-f]{3,4}):(?:sramecc|xnack)")
TRIGGERS = (*dict.fromkeys(trigger for _, trigger, _ in PATTERNS), "Instinct", ":sramecc", ".dist-info", "-py3.")


@dataclass
class Named:
    """What a log names: releases by component, GPUs by name, architectures; in the order of the log."""

    versions: dict[str, list[str]] = field(default_factory=dict)
    gpus: list[str] = field(default_factory=list)
    archs: list[str] = field(default_factory=list)

    def read(self, text: str, facts: Facts) -> None:
        """Take what a line names."""
        for component, trigger, pattern in PATTERNS:
            if (trigger in text or trigger.startswith("version [")) and (match := pattern.search(text)):
                self._add(component, match["version"])
        for match in _EGG.finditer(text):
            self._add(match[1], match[2])
        for name in _GPU.findall(text):
            gpu = next((known for known in facts.gpus if known.lower() == name.lower()), name)
            _append(self.gpus, gpu)
            if gpu in facts.gpus:
                _append(self.archs, facts.gpus[gpu].arch)
        for arch in _ARCH.findall(text):
            _append(self.archs, arch)

    def _add(self, component: str, version: str) -> None:
        version = version.rstrip(".")
        if parse(version) is None or version.startswith("0.1.dev"):  # of a vLLM that was built without its tags
            return
        _append(self.versions.setdefault(component, []), version)
        if match := re.search(r"\+(?:git\w*\.)?rocm(\d)\.?(\d+)(?:\.(\d+))?", version):
            _append(self.versions.setdefault("rocm", []), ".".join(filter(None, match.groups())))


def _append(values: list[str], value: str) -> None:
    if value not in values and len(values) < KEPT:
        values.append(value)


def _rocm(versions: Iterable[str]) -> list[str]:
    """ROCm's release as far as it is known: HIP's third number is another count, and both ends stand for it."""
    ends: list[str] = []
    for version in versions:
        numbers = version.split(".")
        exact = len(numbers) > 2 and numbers[2].isdigit() and int(numbers[2]) < 100
        ends += [version] if exact else [f"{'.'.join(numbers[:2])}.{patch}" for patch in ("0", "9999")]
    return ends


def affects(issue: Issue, named: Named) -> bool | None:
    """Whether any of the jobs in the log can have the issue; None where the log does not say."""
    known: Mapping[str, list[str]] = named.versions | {"rocm": _rocm(named.versions.get("rocm", [])), "arch": named.archs}
    parts = [(component, values) for component, values in known.items() if values]
    answers = {
        issue.affects(dict(zip((c for c, _ in parts), chosen, strict=True)))
        for chosen in product(*(values for _, values in parts))
    }
    return True if answers == {True} else False if answers == {False} else None
