"""Does vLLM's sleep mode really give the GPU's memory back, and does the model come back unharmed?

    python sleep_mode.py --model Qwen/Qwen2.5-0.5B-Instruct

One GPU or --tensor-parallel-size N, on ROCm and on CUDA.
It needs sleep_mode_counters.py, sleep_mode_report.py and sleep_mode_known.py beside it.
Exit code 0: sleep mode works here. 1: it does not; the report says why. 2: the check could not be made.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sleep_mode_counters import Counter, InWorker, Probe, Stop, amd_counter, open_files, time_limit
from sleep_mode_report import AT_THE_END, FREED, GIB, Answer, Cycle, Run, gib, judge, report

SHORT = "San Francisco is"
SENTENCE = "The old lighthouse keeper wrote down the weather, the ships and the hour of every tide. "
Wake = Callable[[Any], None]


# [start:build_engine]
def build_engine(model: str, *, kv_cache_gib: float, probe: type = Probe, **options: Any) -> Any:
    """An engine that can sleep, with a KV cache of known size (GiB on each GPU)."""
    from vllm import LLM

    module = Path(sys.argv[0]).stem if probe.__module__ == "__main__" else probe.__module__
    return LLM(
        model=model,
        enable_sleep_mode=True,
        kv_cache_memory_bytes=int(kv_cache_gib * GIB),
        worker_extension_cls=f"{module}.{probe.__qualname__}",
        **options,
    )


# [end:build_engine]


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


def prompts(llm: Any) -> dict[str, str]:
    """A short prompt, and one of more than two KV blocks, which the prefix cache can keep."""
    block = llm.llm_engine.vllm_config.cache_config.block_size or 256
    sentence = len(llm.get_tokenizer().encode(SENTENCE))
    return {"short": SHORT, "long": SENTENCE * (2 * block // sentence + 1)}


def answer(llm: Any, asked: dict[str, str]) -> tuple[Answer, ...]:
    """Greedy answers with the log-probability of each token. Never asleep: vLLM would wait for ever."""
    from vllm import SamplingParams

    if llm.llm_engine.is_sleeping():
        raise RuntimeError("the engine still sleeps after wake-up: wake `weights` and `kv_cache`")
    greedy = SamplingParams(temperature=0, max_tokens=16, logprobs=0, ignore_eos=True)
    answers = []
    for name, output in zip(asked, llm.generate([*asked.values()], greedy, use_tqdm=False), strict=True):
        out = output.outputs[0]
        chosen = (at[token].logprob for token, at in zip(out.token_ids, out.logprobs, strict=True))
        answers.append(Answer(name, out.text, tuple(out.token_ids), tuple(chosen)))
    return tuple(answers)


# [start:wake]
def wake_level_1(llm: Any) -> None:
    llm.wake_up()


def wake_level_2(llm: Any) -> None:
    """Level 2 dropped the weights: load them before the KV cache wakes, and generate nothing in between."""
    llm.wake_up(tags=["weights"])
    llm.collective_rpc("reload_weights")
    llm.wake_up(tags=["kv_cache"])


# [end:wake]


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
    asked = prompts(llm)
    rounds = []
    for _ in range(3):  # the first round also compiles and warms up; the last one leaves its KV blocks cached
        llm.reset_prefix_cache()
        rounds.append(answer(llm, asked))
    stand_still(counters[0], expected)
    title = f"{title}, level {level}"
    run = Run(title, counters[0].name, expected, reference=rounds[1], repeated=rounds[2], notes=notes)
    for _ in range(cycles):
        try:
            cycle = one_cycle(llm, counters, expected, level, wake, asked, patience)
        except Exception as error:
            said = str(error).strip().splitlines() or ["no message"]
            return replace(run, broke=f"{type(error).__name__}: {said[0]}")
        run = replace(run, cycles=(*run.cycles, cycle))
        if any(failure.kind not in AT_THE_END for failure in judge(run)):
            break
    return run


# [start:cycle]
def one_cycle(
    llm: Any,
    counters: list[Counter],
    expected: int,
    level: int,
    wake: Wake,
    asked: dict[str, str],
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
        answers=answer(llm, asked),
        open_files=open_files(),
        beside={counter.name: (before, during, after) for counter, before, during, after in beside},
    )


# [end:cycle]


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


def start_engine(args: argparse.Namespace, probe: type = Probe) -> Any:
    """Build the engine, or stop with one line that names the likely cause."""
    options = {"gpu_memory_utilization": args.gpu_memory_utilization} if args.gpu_memory_utilization else {}
    try:
        return build_engine(
            args.model,
            kv_cache_gib=args.kv_cache_gib,
            probe=probe,
            tensor_parallel_size=args.tensor_parallel_size,
            max_model_len=args.max_model_len,
            enforce_eager=args.enforce_eager,
            seed=0,
            **options,
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


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Options of this check, and of the one that syncs weights."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="Qwen/Qwen2.5-0.5B-Instruct", help="a name or a directory")
    parser.add_argument("--tensor-parallel-size", type=int, default=1, metavar="N")
    parser.add_argument("--kv-cache-gib", type=float, default=8, help="KV cache on each GPU")
    parser.add_argument("--gpu-memory-utilization", type=float, help="lower it where the GPU is shared")
    parser.add_argument("--max-model-len", type=int, default=2048)
    parser.add_argument("--enforce-eager", action="store_true", help="no graphs: to find the cause of a failure")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for the whole check")
    return parser


def check(args: argparse.Namespace, measure: Callable[..., list[Run]], probe: type = Probe) -> int:
    """Start the engine, measure, print one report a run, and return the exit code."""
    try:
        smi, notes = amd_counter(args.tensor_parallel_size)
        if smi and min(smi.free()) < args.kv_cache_gib * GIB:
            raise Stop(f"only {gib(min(smi.free()))} of VRAM are free: end what uses it, or lower --kv-cache-gib")
        llm = start_engine(args, probe)
        counters = [smi, InWorker(llm)] if smi else [InWorker(llm)]
        runs = measure(llm, counters, bytes_to_free(llm, args.model), cycles=args.cycles, notes=notes)
    except Stop as error:
        print(f"sleep_mode: {error}", file=sys.stderr)
        return 2
    found = [judge(run) for run in runs]
    print("\n\n".join(report(run, failures) for run, failures in zip(runs, found, strict=True)))
    return 1 if any(found) else 0


def both_levels(llm: Any, counters: list[Counter], expected: int, **options: Any) -> list[Run]:
    """One run a level. Level 1 keeps the weights in host memory, level 2 drops them."""
    return [
        verify(llm, counters, expected, level=level, wake=wake, **options)
        for level, wake in ((1, wake_level_1), (2, wake_level_2))
    ]


def main(argv: list[str] | None = None) -> int:
    args = arguments(__doc__).parse_args(argv)
    with time_limit(args.timeout):
        return check(args, both_levels)


if __name__ == "__main__":
    sys.exit(main())
