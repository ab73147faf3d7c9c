"""Which names the guide uses, and where: what the drift alarm watches."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tools.check_names import named
from tools.names.judge import ENGINE
from verl_rocm.facts.base import Facts

# Rows of the generated version tables; no page spells them out.
TABLES = (
    "sleep_mode",
    "sleep_mode_rule",
    "sleep_allocator_built_if",
    "archs",
    "torch",
    "default_mode",
    "mode_by_level",
    "default_sizes",
    "branch",
    "vllm",
)


def used_names(root: Path, facts: Facts) -> dict[str, set[str]]:
    """Names as the contracts spell them, with the files that name them."""
    entries: dict[str, set[str]] = defaultdict(set)
    for row in TABLES:
        entries[row].add("the version tables")
    for setting in facts.settings.values():
        entries[setting.name.removeprefix(f"{ENGINE}vllm.")].add(facts.file[setting.id])
    for name, _ in named(root):
        plain = name.name.lstrip("+").removeprefix(f"{ENGINE}vllm.").removeprefix("no_")
        entries[plain.partition(".")[0] if name.kind == "method" else plain].add(name.path)
    return dict(entries)
