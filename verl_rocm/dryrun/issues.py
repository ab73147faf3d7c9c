"""Known issues that await a job: by versions and arch from the facts, and by what the job really uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Fix, Issue, Setting, Use, Value
from verl_rocm.paste import KWARGS

from .findings import Result

# Goals whose issues a recipe can meet; build, host, devices and observe are about the machine, not about the overrides.
GOALS = ("sleep", "graphs", "memory", "batching", "parallelism", "kernels", "communication", "weight_sync", "precision")


def _names(result: Result, *words: str) -> bool:
    return any(word.lower() in result["model"]["architecture"].lower() for word in words)


# Whether a job uses what the field ``job`` of an issue names.
USES: dict[Use, Callable[[Result], bool]] = {
    "graphs": lambda r: bool(r["graphs"]["max"]),
    "sleep": lambda r: bool(r["sleep"]["level"]),
    "sleep_pool": lambda r: bool(r["sleep"]["pool"]),
    "sleep_without_pool": lambda r: r["sleep"]["free_cache_engine"] and not r["sleep"]["pool"],
    "parallel": lambda r: bool(r["resolved"].get("tensor_parallel_size", 1) > 1),
    "several_nodes": lambda r: bool(r["sizes"]["nodes"] > 1),
    "custom_all_reduce_off": lambda r: bool(r["resolved"].get("disable_custom_all_reduce")),
    "aiter": lambda r: r["environment"].get("VLLM_ROCM_USE_AITER", "0") == "1",
    "fp8": lambda r: "fp8" in str(r["resolved"].get("quantization")),
    "moe": lambda r: _names(r, "moe", "deepseek", "gptoss"),
    "hybrid_model": lambda r: _names(r, "Qwen3Next", "Qwen3_5", "Nemotron", "Mamba"),
    "over_64_sequences": lambda r: bool(r["resolved"]["max_num_seqs"] > 64),
    "over_8192_tokens": lambda r: bool(r["resolved"]["max_num_batched_tokens"] > 8192),
    "nccl_checkpoint_engine": lambda r: "checkpoint_engine.backend=nccl" in str(r["settings"]),
    "no_recipe": lambda r: False,
}


@dataclass(frozen=True)
class Match:
    """An issue of the job. ``state``: ``awaits``, ``avoided`` (a fix is set) or ``unknown`` (a version is missing)."""

    issue: Issue
    state: str
    fixes: tuple[str, ...]


def paste(setting: Setting | None, fix: Fix) -> str:
    """A fix as an override to paste, or its text where no override does it."""
    if setting is None or fix.value is None:
        return fix.text
    shown = "[" + ",".join(map(str, fix.value)) + "]" if isinstance(fix.value, list) else str(fix.value)
    match setting.where:
        case "verl":
            return f"++{setting.name}={shown}" if not isinstance(fix.value, list) else f"'++{setting.name}={shown}'"
        case "vllm":
            return f"++{KWARGS}.{setting.name}={shown}"
        case "compilation_config":
            return f"++{KWARGS}.compilation_config.{setting.name}={shown}"
        case "env" if shown != "unset":
            return f"+ray_kwargs.ray_init.runtime_env.env_vars.{setting.name}='\"{shown}\"'"
    return fix.text


def _set(setting: Setting | None, value: Value | None, result: Result) -> bool:
    """Whether the job already has that value of a setting."""
    if setting is None or value is None:
        return False
    name = setting.name.rpartition(".")[2]
    have: Any
    if setting.where == "env":
        have = result["environment"].get(setting.name)
    elif name == "cudagraph_capture_sizes":
        have = result["graphs"]["sizes"]
        return bool(have) and len(have) <= len(value) if isinstance(value, list) else False
    elif name == "cudagraph_mode":
        have = result["graphs"]["mode"]
    elif name == "free_cache_engine":
        have = result["sleep"]["free_cache_engine"]
    else:
        have = result["resolved"].get(name)
    return have is not None and str(have).lower() == str(value).lower()


def match(facts: Facts, result: Result, versions: dict[str, str | None]) -> list[Match]:
    """Issues that hold for the job's versions and arch, and that it can meet; awaiting ones first."""
    installed = versions | {"arch": result["gpu"]["arch"]}
    found = []
    for issue in facts.issues.values():
        if facts.goal[issue.id] not in GOALS or not all(USES[use](result) for use in issue.job):
            continue
        holds = issue.holds(installed)
        if holds is False:
            continue
        avoided = any(_set(facts.setting(fix.setting), fix.value, result) for fix in issue.fixes if fix.setting)
        state = "avoided" if avoided else "awaits" if holds else "unknown"
        fixes = tuple(paste(facts.setting(fix.setting) if fix.setting else None, fix) for fix in issue.fixes)
        found.append(Match(issue, state, fixes))
    order = {"awaits": 0, "unknown": 1, "avoided": 2}
    return sorted(found, key=lambda made: (order[made.state], made.issue.id))


def as_dicts(found: list[Match]) -> list[dict[str, Any]]:
    """For the JSON report."""
    return [
        {
            "id": made.issue.id,
            "title": made.issue.title,
            "state": made.state,
            "confidence": made.issue.confidence,
            "fixes": list(made.fixes),
        }
        for made in found
    ]
