"""The measurement of a sleep check: an engine with a KV cache of known size sleeps and wakes, counters are read.

One GPU or several by tensor parallelism, on ROCm and on CUDA.  vLLM is imported only where an engine is built.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verl_rocm.sleepcheck.counters import Counter, InWorker, Probe, Stop, amd_counter, open_files
from verl_rocm.sleepcheck.judge import AT_THE_END, FREED, GIB, Answer, Cycle, Run, gib, judge, report

SHORT = "San Francisco is"
SENTENCE = "The old lighthouse keeper wrote down the weather, the ships and the hour of every tide. "
Wake = Callable[[Any], None]


def build_engine(model: str, *, kv_cache_gib: float, probe: type = Probe, **options: Any) -> Any:
    """An engine that can sleep, with a KV cache of known size (GiB on each GPU)."""
    from vllm import LLM

    return LLM(
        model=model,
        enable_sleep_mode=True,
        kv_cache_memory_bytes=int(kv_cache_gib * GIB),
        worker_extension_cls=f"{probe.__module__}.{probe.__qualname__}",
        **options,
    )


def bytes_to_free(llm: Any, model: str) -> int:
    """Weights + KV cache on one GPU: what its worker holds, or the checkpoint where that is more."""
    width = llm.llm_engine.model_config.dtype.itemsize
    stored = sum(checkpoint_bytes(file, width) for file in checkpoint(model).glob("*.safetensors"))
    held = llm.collective_rpc("held_bytes")
    weights, kv_cache = (max(held_bytes) for held_bytes in zip(*held, strict=True))
    return int(max(weights, stored // len(held)) + kv_cache)


def checkpoint(model: str) -> Path:
    """The directory of a model that was loaded by name or by directory."""
    from transformers.utils import cached_file

    return Path(cached_file(model, "config.json", local_files_only=True)).parent


def checkpoint_bytes(file: Path, width: int) -> int:
    """Size of the tensors of a safetensors file when no element takes more than `width` bytes."""
    with file.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    tensors = [(tensor["shape"], tensor["data_offsets"]) for name, tensor in header.items() if name != "__metadata__"]
    return sum(min(end - start, width * math.prod(shape)) for shape, (start, end) in tensors)


def prompts_for(llm: Any) -> dict[str, str]:
    """A short prompt, and one of more than two KV blocks, which the prefix cache can keep."""
    block = llm.llm_engine.vllm_config.cache_config.block_size or 256
    sentence = len(llm.get_tokenizer().encode(SENTENCE))
    return {"short": SHORT, "long": SENTENCE * (2 * block // sentence + 1)}


def answer(llm: Any, prompts: dict[str, str]) -> tuple[Answer, ...]:
    """Greedy answers with the log-probability of each token. Never asleep: vLLM would wait for ever."""
    from vllm import SamplingParams

    if llm.llm_engine.is_sleeping():
        raise RuntimeError("the engine still sleeps after wake-up: wake `weights` and `kv_cache`")
    greedy = SamplingParams(temperature=0, max_tokens=16, logprobs=0, ignore_eos=True)
    answers = []
    for name, output in zip(prompts, llm.generate([*prompts.values()], greedy, use_tqdm=False), strict=True):
        out = output.outputs[0]
        chosen = (at[token].logprob for token, at in zip(out.token_ids, out.logprobs, strict=True))
        answers.append(Answer(name, out.text, tuple(out.token_ids), tuple(chosen)))
    return tuple(answers)


def wake_level_1(llm: Any) -> None:
    """Level 1 kept everything; one call brings it back."""
    llm.wake_up()


def wake_level_2(llm: Any) -> None:
    """Level 2 dropped the weights: load them before the KV cache wakes, and generate nothing in between."""
    llm.wake_up(tags=["weights"])
    llm.collective_rpc("reload_weights")
    llm.wake_up(tags=["kv_cache"])


def verify(
    llm: Any,
    counters: list[Counter],
    expected: int,
    *,
    level: int,
    wake: Wake,
    cycles: int = 20,
    patience: float = 5.0,
    title: str = "sleep mode",
    notes: tuple[str, ...] = (),
) -> Run:
    """Sleep and wake `cycles` times, up to the first failure.

    The first of `counters` is judged, the others are printed. `expected`: bytes of weights + KV cache a GPU.
    `patience`: seconds that the counter may take to follow.
    """
    named = prompts_for(llm)
    rounds = []
    for _ in range(3):  # the first round also compiles and warms up; the last one leaves its KV blocks cached
        llm.reset_prefix_cache()
        rounds.append(answer(llm, named))
    stand_still(counters[0], expected)
    title = f"{title}, level {level}"
    run = Run(title, counters[0].name, expected, reference=rounds[1], repeated=rounds[2], notes=notes)
    for _ in range(cycles):
        try:
            cycle = one_cycle(llm, counters, expected, level, wake, named, patience)
        except Exception as error:
            lines = str(error).strip().splitlines() or ["no message"]
            return replace(run, broke=f"{type(error).__name__}: {lines[0]}")
        run = replace(run, cycles=(*run.cycles, cycle))
        if any(failure.kind not in AT_THE_END for failure in judge(run)):
            break
    return run


def one_cycle(
    llm: Any,
    counters: list[Counter],
    expected: int,
    level: int,
    wake: Wake,
    prompts: dict[str, str],
    patience: float,
) -> Cycle:
    """Sleep, wake, generate, and read all counters before, in between and after."""
    awake = [counter.used() for counter in counters]
    llm.sleep(level=level)
    asleep = read_late(counters, patience, lambda used: apart(awake[0], used) > FREED * expected)
    wake(llm)
    woken = read_late(counters, patience, lambda used: apart(used, asleep[0]) > FREED * expected)
    beside = zip(counters[1:], awake[1:], asleep[1:], woken[1:], strict=True)
    return Cycle(
        awake[0],
        asleep[0],
        woken[0],
        answers=answer(llm, prompts),
        open_files=open_files(),
        beside={counter.name: (before, during, after) for counter, before, during, after in beside},
    )


def apart(more: tuple[int, ...], less: tuple[int, ...]) -> int:
    """The smallest difference over the GPUs."""
    return min(m - n for m, n in zip(more, less, strict=True))


def read_late(
    counters: list[Counter], patience: float, done: Callable[[tuple[int, ...]], bool]
) -> list[tuple[int, ...]]:
    """ROCm returns memory a little late: wait for it, let the reading come to rest, then read all counters."""
    deadline = time.monotonic() + patience
    while not done(counters[0].used()) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(min(0.2, patience))
    return [counter.used() for counter in counters]


def stand_still(counter: Counter, expected: int, seconds: float = 1.0) -> None:
    """Refuse a counter that moves although the engine does nothing."""
    before = counter.used()
    time.sleep(seconds)
    for gpu, (first, second) in enumerate(zip(before, counter.used(), strict=True)):
        if abs(second - first) > 0.02 * expected:
            raise Stop(
                f"GPU {gpu}: memory in use moved by {gib(abs(second - first))} while the engine was idle: "
                "another process uses it; end that process or choose another GPU with HIP_VISIBLE_DEVICES"
            )


def start_engine(options: Options, probe: type = Probe) -> Any:
    """Build the engine, or stop with one line that names the likely cause."""
    share = options.gpu_memory_utilization
    shared = {"gpu_memory_utilization": share} if share else {}
    try:
        return build_engine(
            options.model,
            kv_cache_gib=options.kv_cache_gib,
            probe=probe,
            tensor_parallel_size=options.tensor_parallel_size,
            max_model_len=options.max_model_len,
            enforce_eager=options.enforce_eager,
            seed=0,
            **shared,
        )
    except Exception as error:
        raise Stop(why_no_engine(str(error))) from error


def why_no_engine(error: str) -> str:
    """One line for an engine that did not start."""
    if "Sleep mode is" in error:
        return "this vLLM refuses sleep mode here: it needs a GPU, and on ROCm vLLM 0.11.1 or later"
    if "unexpected keyword argument" in error:
        return f"this vLLM does not know an argument of the check, which needs 0.11.1 or later ({error.strip()})"
    last = (error.strip().splitlines() or ["no message"])[-1]
    return (
        f"the engine did not start ({last}); if its log says that free memory is less than desired, the GPU is "
        "too full: end what uses it, or lower --gpu-memory-utilization and --kv-cache-gib"
    )


@dataclass(frozen=True)
class Options:
    """What is checked.  ``kv_cache_gib`` on each GPU, ``timeout`` in seconds for the whole check."""

    model: str
    tensor_parallel_size: int = 1
    kv_cache_gib: float = 8
    gpu_memory_utilization: float | None = None
    max_model_len: int = 2048
    enforce_eager: bool = False
    cycles: int = 20
    timeout: float = 1800


def check(options: Options, measure: Callable[..., list[Run]], probe: type = Probe) -> int:
    """Start the engine, measure, print one report a run; 0 it works, 1 it does not, 2 it could not be checked."""
    try:
        smi, notes = amd_counter(options.tensor_parallel_size)
        if smi and min(smi.free()) < options.kv_cache_gib * GIB:
            raise Stop(f"only {gib(min(smi.free()))} of VRAM are free: end what uses it, or lower --kv-cache-gib")
        llm = start_engine(options, probe)
        counters = [smi, InWorker(llm)] if smi else [InWorker(llm)]
        runs = measure(llm, counters, bytes_to_free(llm, options.model), cycles=options.cycles, notes=notes)
    except Stop as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    verdicts = [judge(run) for run in runs]
    texts = (report(run, failures, installed()) for run, failures in zip(runs, verdicts, strict=True))
    print("\n\n".join(texts))
    return 1 if any(verdicts) else 0


def installed() -> dict[str, str | None]:
    """Versions and arch of this process, which narrow the known issues."""
    import importlib.metadata as metadata

    import torch

    versions: dict[str, str | None] = {}
    for name in ("vllm", "verl", "ray", "torch"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    hip = torch.version.hip
    arch = torch.cuda.get_device_properties(0).gcnArchName if hip and torch.cuda.is_available() else None
    return versions | {"arch": arch}


def both_levels(llm: Any, counters: list[Counter], expected: int, **options: Any) -> list[Run]:
    """One run a level. Level 1 keeps the weights in host memory, level 2 drops them."""
    return [
        verify(llm, counters, expected, level=level, wake=wake, **options)
        for level, wake in ((1, wake_level_1), (2, wake_level_2))
    ]
