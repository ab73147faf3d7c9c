"""Releases and GPUs that a log names, each as the programs print them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Issue
from verl_rocm.facts.versions import parse

PATCHES = ("0", "1", "2", "3", "4", "9999")  # of a ROCm release of which only two numbers are known
KEPT = 4  # releases of a component; a log of more jobs than that says little about any of them
_V = r"(?P<version>\d+\.\d+[\w.]*(?:\+[\w.]+)?)"
# Sources: vLLM's start and its collect_env, verl's scripts/diagnose.py, `pip freeze` and names of wheels, Ray's start.
PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("vllm", re.compile(rf"LLM engine \(v{_V}\)")),
    ("vllm", re.compile(rf"\bvLLM(?:(?: API)? server)? [Vv]ersion\s*:?\s*v?{_V}")),
    ("vllm", re.compile(rf"\u2588\s+version\s+{_V}")),  # beside the logo that vllm serve draws of blocks
    ("torch", re.compile(rf"PyTorch version\s*:\s*{_V}")),
    ("rocm", re.compile(rf"(?:ROCM used to build PyTorch|HIP runtime version)\s*:\s*{_V}")),
    ("rocm", re.compile(rf"ROC[mM] [Vv]ersion\s*[:=]?\s*{_V}")),
    ("ray", re.compile(rf"Ray version\s*:?\s*{_V}")),
    *((name, re.compile(rf"(?:^|[\s'\"\[/]){name}(?:==|\s+: ){_V}")) for name in ("vllm", "verl", "torch", "ray")),
)
_EGG = re.compile(r"/(vllm|verl|torch|ray)-(\d+\.\d+[\w.+]*?)(?:-py3|\.dist-info)")
_GPU = re.compile(r"AMD[ _-]Instinct[ _-](MI\d+[A-Z]*)")
_ARCH = re.compile(r"\b(gfx[0-9a-f]{3,4}):(?:sramecc|xnack)")
# Texts, one of which stands in every line that a pattern matches.
TRIGGERS = (
    "LLM engine (v",
    "ersion",
    "ROCM used to build",
    "==",
    " : ",
    "Instinct",
    ":xnack",
    ".dist-info",
    "-py3",
)


@dataclass
class Named:
    """What a log names: releases by component, GPUs by name, architectures; in the order of the log."""

    versions: dict[str, list[str]] = field(default_factory=dict)
    gpus: list[str] = field(default_factory=list)
    archs: list[str] = field(default_factory=list)

    def read(self, text: str, facts: Facts) -> bool:
        """Take what a line names; False if it names nothing."""
        if not any(trigger in text for trigger in TRIGGERS):
            return False
        releases = [(name, match["version"]) for name, pattern in PATTERNS if (match := pattern.search(text))]
        releases += _EGG.findall(text)
        gpus, archs = _GPU.findall(text), _ARCH.findall(text)
        for component, version in releases:
            self._add(component, version)
        for name in gpus:
            gpu = next((known for known in facts.gpus if known.lower() == name.lower()), name)
            _append(self.gpus, gpu)
            if gpu in facts.gpus:
                _append(self.archs, facts.gpus[gpu].arch)
        for arch in archs:
            _append(self.archs, arch)
        return bool(releases or gpus or archs)

    def assume(self, assumed: Mapping[str, str], gpu: str | None, facts: Facts) -> None:
        """Let releases and a GPU of the facts that a user names stand for those of the log."""
        self.versions |= {component: [version] for component, version in assumed.items()}
        if gpu:
            self.gpus, self.archs = [gpu], [facts.gpus[gpu].arch]

    def _add(self, component: str, version: str) -> None:
        version = version.rstrip(".")
        if parse(version) is None or version.startswith("0.1.dev"):  # of a vLLM that was built without its tags
            return
        _append(self.versions.setdefault(component, []), version)
        if match := re.search(r"\+(?:git\w*\.)?rocm(\d+)\.(\d+)(?:\.(\d+))?", version):
            _append(self.versions.setdefault("rocm", []), ".".join(filter(None, match.groups())))


def _append(values: list[str], value: str) -> None:
    if value not in values and len(values) < KEPT:
        values.append(value)


def _rocm(versions: Iterable[str]) -> list[str]:
    """ROCm's releases that it may be: HIP's third number is another count, so each patch release is possible."""
    ends: list[str] = []
    for version in versions:
        numbers = version.split(".")
        exact = len(numbers) > 2 and numbers[2].isdigit() and int(numbers[2]) < 100
        ends += [version] if exact else [f"{'.'.join(numbers[:2])}.{patch}" for patch in PATCHES]
    return ends


def affects(issue: Issue, named: Named) -> bool | None:
    """Whether any of the jobs in the log can have the issue; None where the log does not say."""
    known: Mapping[str, list[str]] = named.versions | {
        "rocm": _rocm(named.versions.get("rocm", [])),
        "arch": named.archs,
    }
    parts = [(component, values) for component, values in known.items() if values]
    answers = {
        issue.affects(dict(zip((c for c, _ in parts), chosen, strict=True)))
        for chosen in product(*(values for _, values in parts))
    }
    return True if answers == {True} else False if answers == {False} else None
