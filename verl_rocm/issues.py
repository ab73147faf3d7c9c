"""Known issues that await a job: by versions and arch from the facts, and by what the job really uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from facts.load import Facts
from facts.schema import Fix, Issue, Knob, Value

from .findings import KWARGS, Result

# Goals whose issues a recipe can meet; build, host, devices and observe are about the machine, not about the overrides.
GOALS = ("sleep", "graphs", "memory", "batching", "parallelism", "kernels", "communication", "weight_sync", "precision")


def _captures(result: Result) -> bool:
    return bool(result["graphs"]["max"])


def _sleeps(result: Result) -> bool:
    return bool(result["sleep"]["level"])


def _parallel(result: Result) -> bool:
    return bool(result["resolved"].get("tensor_parallel_size", 1) > 1)


def _aiter(result: Result) -> bool:
    return bool(result["environment"].get("VLLM_ROCM_USE_AITER", "0") == "1")


def _fp8(result: Result) -> bool:
    return "fp8" in str(result["resolved"].get("quantization"))


def _moe(result: Result) -> bool:
    return any(word in result["model"]["architecture"].lower() for word in ("moe", "deepseek", "gptoss"))


def _hybrid(result: Result) -> bool:
    return any(word in result["model"]["architecture"] for word in ("Qwen3Next", "Qwen3_5", "Nemotron", "Mamba"))


def _always(_result: Result) -> bool:
    return True


def _never(_result: Result) -> bool:
    return False  # an issue of SGLang, of a hand-written LLM() call, or of another mode than verl's rollout


# What a job must use for an issue to concern it; an issue that is not named here concerns every job of its goal.
NEEDS: dict[str, Callable[[Result], bool]] = {
    "custom-all-reduce-expandable-segments": _parallel,
    "quick-reduce-off-with-custom-all-reduce": lambda r: (
        _parallel(r) and bool(r["resolved"].get("disable_custom_all_reduce"))
    ),
    "verl-image-default-disappears": _parallel,
    "gdr-level-hangs-jobs": lambda r: r["sizes"]["nodes"] > 1,
    "graph-capture-memory": _captures,
    "graph-replay-wrong-results-rocm-7-2": _captures,
    "graph-replay-stale-buffer-mi355x": _captures,
    "capture-broken-by-watchdog": _captures,
    "capture-hangs-with-rccl-of-rocm-7-2-1": lambda r: _captures(r) and _parallel(r),
    "aiter-splitk-workspace-in-capture": lambda r: _captures(r) and _aiter(r) and r["resolved"]["max_num_seqs"] > 64,
    "graph-memory-survives-sleep": lambda r: _captures(r) and _sleeps(r),
    "attention-backend-not-aiter": _aiter,
    "aiter-rounds-in-bf16": _aiter,
    "aiter-wrong-device-gemm": _aiter,
    "large-prefill-chunk-faults-on-mi350x": lambda r: r["resolved"]["max_num_batched_tokens"] > 8192,
    "fp8-format-differs-by-arch": _fp8,
    "fp8-slower-than-bf16-mi300x": _fp8,
    "sleep-leaves-vram-full": _sleeps,
    "rocr-keeps-pages-of-unmapped-memory": _sleeps,
    "rocm-6-4-0-does-not-free": _sleeps,
    "wake-up-invalid-argument": lambda r: _sleeps(r) and _parallel(r),
    "first-wake-memory-fault": _sleeps,
    "double-release-while-asleep": _sleeps,
    "tensor-item-segfault-in-pool": lambda r: bool(r["sleep"]["pool"]),
    "stale-vram-after-wake": lambda r: _sleeps(r) and _hybrid(r),
    "sleep-without-pool": lambda r: r["sleep"]["free_cache_engine"] and not r["sleep"]["pool"],
    "moe-stale-weights-after-sync": _moe,
    "nccl-checkpoint-engine-needs-cupy": lambda r: "checkpoint_engine.backend=nccl" in str(r["settings"]),
    "max-model-len-refused": _never,  # verl itself would have refused the job
    "kv-connector-with-expandable-segments": _never,
    "sglang-rms-norm-arguments": _never,
    "sglang-backend-triton-or-aiter": _never,
    "sleep-while-requests-run": _never,
    "one-pool-per-process": _never,
    "level-2-wake-without-weights": _never,
    "compilation-level-removed": _never,
    "engine-arguments-removed": _never,
    "legacy-ipc-fails-on-radeon": _never,
}


@dataclass(frozen=True)
class Match:
    """An issue of the job. ``state``: ``awaits``, ``avoided`` (a fix is set) or ``unknown`` (a version is missing)."""

    issue: Issue
    state: str
    fixes: tuple[str, ...]


def paste(knob: Knob | None, fix: Fix) -> str:
    """A fix as an override to paste, or its text where no override does it."""
    if knob is None or fix.value is None:
        return fix.text
    shown = "[" + ",".join(map(str, fix.value)) + "]" if isinstance(fix.value, list) else str(fix.value)
    match knob.where:
        case "verl":
            return f"++{knob.name}={shown}" if not isinstance(fix.value, list) else f"'++{knob.name}={shown}'"
        case "vllm":
            return f"++{KWARGS}.{knob.name}={shown}"
        case "compilation_config":
            return f"++{KWARGS}.compilation_config.{knob.name}={shown}"
        case "env" if shown != "unset":
            return f"+ray_kwargs.ray_init.runtime_env.env_vars.{knob.name}='\"{shown}\"'"
    return fix.text


def _set(knob: Knob | None, value: Value | None, result: Result) -> bool:
    """Whether the job already has that value of a setting."""
    if knob is None or value is None:
        return False
    name = knob.name.rpartition(".")[2]
    have: Any
    if knob.where == "env":
        have = result["environment"].get(knob.name)
    elif name == "cudagraph_capture_sizes":
        have = result["graphs"]["sizes"]
        return bool(have) and max(have) <= max(value) if isinstance(value, list) else False
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
        if facts.goal[issue.id] not in GOALS or not NEEDS.get(issue.id, _always)(result):
            continue
        holds = issue.holds(installed)
        if holds is False:
            continue
        avoided = any(_set(facts.knob(fix.setting), fix.value, result) for fix in issue.fixes if fix.setting)
        state = "avoided" if avoided else "awaits" if holds else "unknown"
        fixes = tuple(paste(facts.knob(fix.setting) if fix.setting else None, fix) for fix in issue.fixes)
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
