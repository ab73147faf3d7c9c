"""What a user should know of a result: settings that did not arrive, or that do something else than they seem to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from verl_rocm.facts.base import Facts
from verl_rocm.finding import Finding, Level, Remedy, site
from verl_rocm.paste import KWARGS, ROLLOUT, Target, override, paste
from verl_rocm.worker.wire import LEFT_OUT, Identity, Resolution

from . import memory, variables


@dataclass(frozen=True)
class Subject:
    """What the rules look at.  ``exported`` are variables that the user set, in a script or as overrides."""

    job: Resolution
    gpu: Identity
    facts: Facts
    versions: dict[str, str]
    exported: dict[str, str]


def _finding(name: str, text: str, *lines: str, level: Level = "finding") -> Finding:
    """A finding of the dry run's own; each of ``lines`` is one way out, to be pasted."""
    ways = tuple(Remedy(text="", lines=(each,)) for each in lines)
    return Finding(id=name, title=text, level=level, remedies=ways, url=site("reference/dry-run-report", name))


def capture_sizes(sizes: list[int], largest: int) -> list[int]:
    """``sizes`` with doubled ones added up to ``largest`` sequences."""
    grown = sorted({size for size in sizes if size > 0}) or [1]
    while grown[-1] < largest:
        grown.append(min(grown[-1] * 2, largest))
    return grown


def false_flags(s: Subject) -> Iterator[Finding]:
    """verl sends nothing for most ``False`` values; then vLLM's own default stands."""
    for row in s.job.journey:
        if row.verl is not False or row.sent is not None or not row.known:
            continue
        if row.vllm not in (False, None):
            text = f"{row.key or row.argument}=False is not sent, and vLLM makes {row.vllm} of the missing flag"
            yield _finding("false-dropped", text, override(s.facts, f"{KWARGS}.no_{row.argument}", True))
        elif row.override is not None:
            text = f"{row.key}=False is not sent; vLLM's default is False as well"
            yield _finding("false-dropped", text, level="note")


def graph_sizes(s: Subject) -> Iterator[Finding]:
    """Decode batches above the largest captured size run without a graph."""
    graphs, most = s.job.graphs, _whole(s.job, "max_num_seqs")
    requested = graphs.requested.get("cudagraph_capture_sizes")
    if graphs.mode == "NONE":
        return
    if isinstance(requested, list) and requested and sorted(map(str, requested)) != sorted(map(str, graphs.sizes)):
        yield _finding("sizes-clipped", f"capture sizes {requested} became {list(graphs.sizes)}")
    if graphs.max < most:
        text = (
            f"decode batches of {graphs.max + 1} to {most} sequences run without a graph: capture sizes end at "
            f"{graphs.max} and max_num_seqs is {most}"
        )
        sizes = override(s.facts, f"{ROLLOUT}.cudagraph_capture_sizes", [*capture_sizes(list(graphs.sizes), most)])
        fewer = override(s.facts, f"{ROLLOUT}.max_num_seqs", graphs.max)
        yield _finding("sizes-below-max-num-seqs", text, sizes, fewer)


def _whole(job: Resolution, argument: str, otherwise: int = 1) -> int:
    value = job.resolved.get(argument)
    return value if isinstance(value, int) else otherwise


def eager(s: Subject) -> Iterator[Finding]:
    """``enforce_eager`` makes all that was asked of graphs idle."""
    if not s.job.resolved.get("enforce_eager"):
        return
    of_graphs = ("cudagraph_capture_sizes", "cudagraph_mode")
    idle = [row.key for row in s.job.journey if row.argument in of_graphs and row.override]
    if idle:
        text = f"enforce_eager=True: vLLM neither compiles nor captures, so {' and '.join(idle)} do nothing"
        yield _finding("eager-idles-graphs", text, override(s.facts, f"{ROLLOUT}.enforce_eager", False))
    else:
        yield _finding("eager", "enforce_eager=True: vLLM neither compiles nor captures graphs", level="note")


def all_reduce(s: Subject) -> Iterator[Finding]:
    """vLLM builds QuickReduce and AITER's all-reduce only beside custom all-reduce."""
    if not s.job.resolved.get("disable_custom_all_reduce") or _whole(s.job, "tensor_parallel_size") < 2:
        return
    quick = s.job.environment.get("VLLM_ROCM_QUICK_REDUCE_QUANTIZATION", "NONE")
    text = "disable_custom_all_reduce=True also turns off QuickReduce"
    if quick != "NONE":
        text += f", which the job asks for with VLLM_ROCM_QUICK_REDUCE_QUANTIZATION={quick}"
        line = override(s.facts, f"{KWARGS}.disable_custom_all_reduce", False)
        yield _finding("quick-reduce-off", text, line)
    else:
        yield _finding("quick-reduce-off", f"{text} and AITER's all-reduce", level="note")


def sleep(s: Subject) -> Iterator[Finding]:
    """Sleep needs the pool, and the pool is idle without sleep."""
    state = s.job.sleep
    pool, cache = f"{ROLLOUT}.enable_sleep_mode", f"{ROLLOUT}.free_cache_engine"
    if state.mode == "hybrid" and not state.free_cache_engine and not state.pool:
        yield _finding("no-sleep", "vLLM keeps its memory during training: sleep is off", level="note")
    elif state.mode != "hybrid":
        yield _finding("no-sleep", f"{state.mode} rollout: verl never puts it to sleep", level="note")
    elif state.free_cache_engine and not state.pool:
        text = "free_cache_engine=True calls sleep, but enable_sleep_mode=False builds no pool: nothing is freed"
        yield _finding("sleep-without-pool", text, override(s.facts, pool, True))
    elif state.pool and not state.free_cache_engine:
        text = "free_cache_engine=False: the sleep pool is built and verl never sleeps"
        lines = override(s.facts, cache, True), override(s.facts, pool, False)
        yield _finding("pool-without-sleep", text, *lines, level="note")
    else:
        kept = {1: "weights are kept in host memory", 2: "weights are discarded and come back with the next sync"}
        yield _finding("sleep-level", f"verl sleeps at level {state.level}: {kept[state.level]}", level="note")


def precision(s: Subject) -> Iterator[Finding]:
    """The FP8 format of the arch."""
    quantization = s.job.resolved.get("quantization")
    if not quantization or "fp8" not in str(quantization):
        return
    if s.gpu.fp8 == "none":
        text = f"quantization={quantization}, but {s.gpu.name} ({s.gpu.arch}) has no FP8"
        yield _finding("fp8-missing", text, override(s.facts, f"{ROLLOUT}.quantization", "null"))
    else:
        yield _finding("fp8-format", f"FP8 on {s.gpu.arch} is {s.gpu.fp8}; verl quantises to e4m3fn", level="note")


def attention(s: Subject) -> Iterator[Finding]:
    """Backend as vLLM chooses it, with and without AITER."""
    choices = s.job.attention
    if choices and choices[0].error:
        yield _finding("no-attention-backend", f"without AITER vLLM finds no attention backend: {choices[0].error}")
    if len({choice.backend for choice in choices} - {None}) > 1:
        yield _finding("aiter-changes-backend", "the attention backend depends on AITER: see the plan", level="note")
    on = [choice for choice in choices if choice.aiter and choice.switch == "1"]
    if s.job.environment.get("VLLM_ROCM_USE_AITER") == "1" and on and "AITER" not in str(on[0].backend):
        text = f"VLLM_ROCM_USE_AITER=1, yet vLLM chooses {on[0].backend} for attention"
        yield _finding("aiter-not-chosen", text, paste(s.facts, "attention_backend", "ROCM_AITER_FA", Target.OVERRIDE))


def changed(s: Subject) -> Iterator[Finding]:
    """A value that vLLM replaced by another."""
    for row in s.job.journey:
        if row.sent is None or not row.known or row.argument == "cudagraph_capture_sizes":
            continue
        if row.argument == "cudagraph_mode" and s.job.resolved.get("enforce_eager"):
            continue
        scalar = isinstance(row.verl, str | bool | int | float)
        if scalar and str(row.verl).lower() != str(row.vllm).lower() and row.verl != row.vllm:
            yield _finding("changed", f"{row.argument}: verl sends {row.verl}, vLLM makes it {row.vllm}")


def unread_variables(s: Subject) -> Iterator[Finding]:
    """Variables that the resolved release does not read."""
    yield from variables.unread(s.facts, s.versions, s.exported)


def runner(s: Subject) -> Iterator[Finding]:
    """Which model runner, and what vLLM warned about."""
    for line in s.job.warnings:
        if line.startswith(LEFT_OUT):
            yield _finding("keys-left-out", line, level="note")
        elif "V1 model" in line:
            if s.job.runner.model_runner == "V1":
                yield _finding("model-runner-v1", line, level="note")
        elif "Unknown vLLM environment variable" in line and any(name in line for name in s.exported):
            continue  # a finding of its own
        elif not line.startswith(("Failed to import", "Platform '")):
            yield _finding("warning", f"vLLM warns: {line[:240]}", level="note")


def others(s: Subject) -> Iterator[Finding]:
    """Engines of the job that were not resolved."""
    for engine in s.job.others:
        values = ", ".join(f"{name}={value}" for name, value in engine.settings.items())
        text = (
            f"the {engine.what} {engine.model} gets an engine of its own ({engine.key}: {values}), which is not "
            "resolved here: dry-run that model by itself, with these values under actor_rollout_ref.rollout"
        )
        yield _finding("other-rollout", text, level="note")


RULES: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    false_flags,
    graph_sizes,
    eager,
    all_reduce,
    sleep,
    precision,
    attention,
    changed,
    unread_variables,
    runner,
    others,
)


def find(subject: Subject) -> tuple[Finding, ...]:
    """All findings of a result, findings before notes, in the order of the rules."""
    everything = [finding for rule in RULES for finding in rule(subject)]
    everything += memory.find(subject.facts, subject.job)
    return tuple(sorted(everything, key=lambda finding: finding.level != "finding"))
