"""What a user should know of a result: settings that did not arrive, or that do something else than they seem to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from verl_rocm.paste import KWARGS, ROLLOUT

Result = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """One line for the reader. ``level`` is ``finding`` (which counts) or ``note``; ``fix`` is to be pasted."""

    id: str
    text: str
    fix: str = ""
    level: str = "finding"


def _row(result: Result, argument: str) -> dict[str, Any]:
    return next((row for row in result["journey"] if row["argument"] == argument), {})


def capture_sizes(sizes: list[int], wanted: int) -> list[int]:
    """``sizes`` with doubled ones added up to ``wanted`` sequences."""
    made = sorted({size for size in sizes if size > 0}) or [1]
    while made[-1] < wanted:
        made.append(min(made[-1] * 2, wanted))
    return made


def false_flags(result: Result) -> Iterator[Finding]:
    """verl sends nothing for most ``False`` values; then vLLM's own default stands."""
    for row in result["journey"]:
        if row["verl"] is not False or row["sent"] is not None or not row["known"]:
            continue
        if row["vllm"] not in (False, None):
            yield Finding(
                "false-dropped",
                f"{row['key'] or row['argument']}=False is not sent, and vLLM makes {row['vllm']} of the missing flag",
                f"+{KWARGS}.no_{row['argument']}=True",
            )
        elif row["override"] is not None:
            yield Finding(
                "false-dropped", f"{row['key']}=False is not sent; vLLM's default is False as well", level="note"
            )


def graph_sizes(result: Result) -> Iterator[Finding]:
    """Decode batches above the largest captured size run without a graph."""
    graphs, most = result["graphs"], result["resolved"]["max_num_seqs"]
    asked = graphs["asked"].get("cudagraph_capture_sizes")
    if graphs["mode"] == "NONE":
        return
    if asked and sorted(asked) != graphs["sizes"]:
        yield Finding("sizes-clipped", f"capture sizes {sorted(asked)} became {graphs['sizes']}", "")
    if graphs["max"] < most:
        key = f"{ROLLOUT}.cudagraph_capture_sizes"
        sizes = ",".join(map(str, capture_sizes(graphs["sizes"], most)))
        yield Finding(
            "sizes-below-max-num-seqs",
            f"capture sizes end at {graphs['max']} and max_num_seqs is {most}: decode "
            f"batches of {graphs['max'] + 1} to {most} sequences run without a graph",
            f"'{key}=[{sizes}]' or {ROLLOUT}.max_num_seqs={graphs['max']}",
        )


def eager(result: Result) -> Iterator[Finding]:
    """``enforce_eager`` makes all that was asked of graphs idle."""
    if not result["resolved"].get("enforce_eager"):
        return
    asked = [
        row["key"]
        for row in result["journey"]
        if row["argument"] in ("cudagraph_capture_sizes", "cudagraph_mode") and row["override"]
    ]
    if asked:
        yield Finding(
            "eager-idles-graphs",
            f"enforce_eager=True: vLLM neither compiles nor captures, so {' and '.join(asked)} do nothing",
            f"{ROLLOUT}.enforce_eager=False",
        )
    else:
        yield Finding("eager", "enforce_eager=True: vLLM neither compiles nor captures graphs", level="note")


def all_reduce(result: Result) -> Iterator[Finding]:
    """vLLM builds QuickReduce and AITER's all-reduce only beside custom all-reduce."""
    if not result["resolved"].get("disable_custom_all_reduce"):
        return
    quick = result["environment"].get("VLLM_ROCM_QUICK_REDUCE_QUANTIZATION", "NONE")
    parallel = result["resolved"].get("tensor_parallel_size", 1) > 1
    if parallel and quick != "NONE":
        yield Finding(
            "quick-reduce-off",
            f"disable_custom_all_reduce=True also turns off QuickReduce, which the job asks for "
            f"with VLLM_ROCM_QUICK_REDUCE_QUANTIZATION={quick}",
            f"++{KWARGS}.disable_custom_all_reduce=False",
        )
    elif parallel:
        yield Finding(
            "quick-reduce-off",
            "disable_custom_all_reduce=True also turns off QuickReduce and AITER's all-reduce",
            level="note",
        )


def sleep(result: Result) -> Iterator[Finding]:
    """Sleep needs the pool, and the pool is idle without sleep."""
    found = result["sleep"]
    if found["mode"] == "hybrid" and not found["free_cache_engine"] and not found["pool"]:
        yield Finding("no-sleep", "vLLM keeps its memory during training: sleep is off", level="note")
    elif found["mode"] != "hybrid":
        yield Finding("no-sleep", f"{found['mode']} rollout: verl never puts it to sleep", level="note")
    elif found["free_cache_engine"] and not found["pool"]:
        yield Finding(
            "sleep-without-pool",
            "free_cache_engine=True calls sleep, but enable_sleep_mode=False builds no pool: nothing is freed",
            f"+{ROLLOUT}.enable_sleep_mode=True",
        )
    elif found["pool"] and not found["free_cache_engine"]:
        yield Finding(
            "pool-without-sleep",
            "free_cache_engine=False: the sleep pool is built and verl never sleeps",
            f"{ROLLOUT}.free_cache_engine=True, or +{ROLLOUT}.enable_sleep_mode=False",
            "note",
        )
    else:
        text = {1: "weights are kept in host memory", 2: "weights are discarded and come back with the next sync"}
        yield Finding("sleep-level", f"verl sleeps at level {found['level']}: {text[found['level']]}", level="note")


def precision(result: Result) -> Iterator[Finding]:
    """The FP8 format of the arch."""
    gpu, quantization = result["gpu"], result["resolved"].get("quantization")
    if not quantization or "fp8" not in str(quantization):
        return
    if gpu["fp8"] == "none":
        yield Finding(
            "fp8-missing",
            f"quantization={quantization}, but {gpu['name']} ({gpu['arch']}) has no FP8",
            f"{ROLLOUT}.quantization=null",
        )
    else:
        yield Finding("fp8-format", f"FP8 on {gpu['arch']} is {gpu['fp8']}; verl quantises to e4m3fn", level="note")


def attention(result: Result) -> Iterator[Finding]:
    """Backend as vLLM chooses it, with and without AITER."""
    rows = result["attention"]
    for row in rows:
        if "error" in row and row is rows[0]:
            yield Finding("no-attention-backend", f"without AITER vLLM finds no attention backend: {row['error']}")
    names = {row.get("backend") for row in rows}
    if len(names - {None}) > 1:
        yield Finding("aiter-changes-backend", "the attention backend depends on AITER: see the table", level="note")
    on = [row for row in rows if row["aiter"] and row["VLLM_ROCM_USE_AITER"] == "1"]
    if result["environment"].get("VLLM_ROCM_USE_AITER") == "1" and on and "AITER" not in str(on[0].get("backend")):
        yield Finding(
            "aiter-not-chosen",
            f"VLLM_ROCM_USE_AITER=1, yet vLLM chooses {on[0].get('backend')} for attention",
            f"+{KWARGS}.attention_backend=ROCM_AITER_FA",
        )


def changed(result: Result) -> Iterator[Finding]:
    """A value that vLLM replaced by another."""
    told = {"cudagraph_capture_sizes", "cudagraph_mode"}
    eager_now = result["resolved"].get("enforce_eager")
    for row in result["journey"]:
        if row["sent"] is None or not row["known"] or (row["argument"] in told and eager_now):
            continue
        if row["argument"] == "cudagraph_capture_sizes":
            continue
        one, other = row["verl"], row["vllm"]
        if isinstance(one, str | bool | int | float) and str(one).lower() != str(other).lower() and one != other:
            yield Finding("changed", f"{row['argument']}: verl sends {one}, vLLM makes it {other}")


def runner(result: Result) -> Iterator[Finding]:
    """Which model runner, and what vLLM warned about."""
    if result["runner"]["model_runner"] == "V1" and "V1 model" in " ".join(result["said"]):
        yield Finding("model-runner-v1", next(line for line in result["said"] if "V1 model" in line), level="note")
    for line in result["said"]:
        if "V1 model" not in line and not line.startswith(("Failed to import", "Platform '")):
            yield Finding("warning", f"vLLM warns: {line[:240]}", level="note")


def others(result: Result) -> Iterator[Finding]:
    """Engines of the job that were not resolved."""
    for found in result.get("others", []):
        asked = ", ".join(f"{name}={found[name]}" for name in found if name not in ("what", "key", "model"))
        yield Finding(
            "other-rollout",
            f"the {found['what']} {found['model']} gets an engine of its own ({found['key']}: {asked}), which is not "
            "resolved here: dry-run that model by itself, with these values under actor_rollout_ref.rollout",
            level="note",
        )


RULES: tuple[Callable[[Result], Iterator[Finding]], ...] = (
    false_flags,
    graph_sizes,
    eager,
    all_reduce,
    sleep,
    precision,
    attention,
    changed,
    runner,
    others,
)


def find(result: Result) -> list[Finding]:
    """All findings of a result, findings before notes, in the order of the rules."""
    made = [finding for rule in RULES for finding in rule(result)]
    return sorted(made, key=lambda finding: finding.level != "finding")


def as_dicts(found: list[Finding]) -> list[dict[str, str]]:
    """For the JSON report."""
    return [asdict(finding) for finding in found]
