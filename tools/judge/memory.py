"""The memory that a dry run predicts, beside public logs of an engine's start."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.judge.memory_rows import Row, job, skipped
from tools.judge.rows import half
from tools.judge.verdicts import Verdict, coverage, errors, spread
from verl_rocm.dryrun import engines
from verl_rocm.memory.rollout import GIB, Weighed
from verl_rocm.worker.wire import Refusal

LOGGED_TO = 0.005 * GIB  # a log rounds to 0.01 GiB


def judged(rows: Sequence[Row]) -> list[Verdict]:
    """All rows, predicted in one child process.

    Raises:
        EngineProblem: there is no interpreter with vLLM and verl.
    """
    ready = [row for row in rows if not skipped(row)]
    with tempfile.TemporaryDirectory(prefix="verl-rocm-judge-") as name:
        requests = [job(row, Path(name)) for row in ready]
        answers = engines.resolve(requests, engines.interpreter(None)).answers if requests else ()
    remaining = iter(answers)
    verdicts = []
    for number, row in enumerate(rows, start=1):
        if why := skipped(row):
            verdicts.append(Verdict(row.id, row.source, half(number), why=why))
            continue
        answer = next(remaining)
        if isinstance(answer, Refusal):
            verdicts.append(Verdict(row.id, row.source, half(number), why=answer.problems[0].line()))
        elif isinstance(answer.memory, Weighed):
            verdicts += figures(row, half(number), answer.memory)
        else:
            verdicts.append(Verdict(row.id, row.source, half(number), why=answer.memory.reason))
    return verdicts


def figures(row: Row, half: str, weighed: Weighed) -> list[Verdict]:
    """What a row logs, predicted."""
    verdicts = []
    quantised = row.quantization or "gpt-oss" in (row.model or "")
    if row.weights_gib is not None:
        predicted = None if quantised else weighed.weights.total / GIB
        why = "the bundled config has no quantisation" if quantised else ""
        verdicts.append(Verdict(row.id, row.source, half, "weights", "GiB", row.weights_gib, predicted, why=why))
    if row.kv_tokens is not None and row.available_kv_gib is not None:
        tokens = weighed.holdings[1].tokens
        each = tokens / (row.available_kv_gib * GIB)
        low, high = tokens - each * LOGGED_TO, tokens + each * LOGGED_TO
        verdicts.append(Verdict(row.id, row.source, half, "KV tokens", "tokens", row.kv_tokens, tokens, low, high))
    if row.available_kv_gib is not None and row.gpu_memory_utilization:
        verdicts.append(available(row, half, weighed, bool(quantised)))
    return verdicts


def available(row: Row, half: str, weighed: Weighed, quantised: bool) -> Verdict:
    """The KV cache's memory: the share, less weights and the estimate of what profiling adds."""
    total = row.gpu_memory_gib or (192 if row.gpu == "AMD MI300X" else None)
    logged = row.available_kv_gib
    if total is None or weighed.overhead is None:
        return Verdict(row.id, row.source, half, "available KV", "GiB", logged, why="the GPU's memory is not stated")
    # Weights as logged where the config lacks the quantisation: only the estimate is judged then.
    weights = row.weights_gib if quantised and row.weights_gib else weighed.weights.total / GIB
    left = total * row.gpu_memory_utilization - weights if row.gpu_memory_utilization else 0.0
    parts = (weighed.overhead.activation, weighed.overhead.non_torch)  # no row's release counts graphs on its GPU
    low, middle, high = (sum(getattr(part, side) for part in parts) / GIB for side in ("high", "middle", "low"))
    assumed = "" if row.max_num_seqs else "max_num_seqs 1024 assumed"
    return Verdict(
        row.id, row.source, half, "available KV", "GiB", logged, left - middle, left - low, left - high, assumed
    )


def summary(verdicts: Sequence[Verdict]) -> str:
    """Errors without their sign, a quantity and a half."""
    parts = (
        f"{quantity} {side}: {spread(list(errors(verdicts, [quantity], side)))}"
        for quantity in ("weights", "KV tokens", "available KV")
        for side in ("odd", "even")
    )
    return f"memory: {coverage(verdicts)}; {'; '.join(parts)}"
