"""Figures of a row, logged and predicted, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tools.judge.rows import Row
from verl_rocm.memory.rollout import GIB, Weighed

FIELDS = ("id", "half", "source", "quantity", "unit", "logged", "predicted", "low", "high", "error_percent", "why")
LOGGED_TO = 0.005 * GIB  # a log rounds to 0.01 GiB


@dataclass(frozen=True)
class Verdict:
    """One figure of a row, logged and predicted; ``why`` says why there is no prediction, or what was assumed."""

    row: Row
    half: str
    quantity: str
    unit: str = ""
    logged: float | None = None
    predicted: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""

    @property
    def error(self) -> float | None:
        """Per cent of the logged figure."""
        if self.logged is None or self.predicted is None:
            return None
        return 100 * (self.predicted - self.logged) / self.logged

    def fields(self) -> dict[str, str]:
        """The verdict as a line of a table."""

        def shown(value: float | None) -> str:
            return "" if value is None else f"{value:.0f}" if self.unit == "tokens" else f"{value:.2f}"

        error = "" if self.error is None else f"{self.error:+.2f}"
        figures = (shown(self.logged), shown(self.predicted), shown(self.low), shown(self.high))
        values = (self.row.id, self.half, self.row.source, self.quantity, self.unit, *figures, error, self.why)
        return dict(zip(FIELDS, values, strict=True))


def figures(row: Row, half: str, weighed: Weighed) -> list[Verdict]:
    """What a row logs, predicted."""
    verdicts = []
    quantised = row.quantization or "gpt-oss" in (row.model or "")
    if row.weights_gib is not None:
        predicted = None if quantised else weighed.weights.total / GIB
        why = "the bundled config has no quantisation" if quantised else ""
        verdicts.append(Verdict(row, half, "weights", "GiB", row.weights_gib, predicted, why=why))
    if row.kv_tokens is not None and row.available_kv_gib is not None:
        tokens = weighed.holdings[1].tokens
        each = tokens / (row.available_kv_gib * GIB)
        low, high = tokens - each * LOGGED_TO, tokens + each * LOGGED_TO
        verdicts.append(Verdict(row, half, "KV tokens", "tokens", row.kv_tokens, tokens, low, high))
    if row.available_kv_gib is not None and row.gpu_memory_utilization:
        verdicts.append(available(row, half, weighed, bool(quantised)))
    return verdicts


def available(row: Row, half: str, weighed: Weighed, quantised: bool) -> Verdict:
    """The KV cache's memory: the share, less weights and the estimate of what profiling adds."""
    total = row.gpu_memory_gib or (192 if row.gpu == "AMD MI300X" else None)
    logged = row.available_kv_gib
    if total is None or weighed.overhead is None:
        return Verdict(row, half, "available KV", "GiB", logged, why="the GPU's memory is not stated")
    # Weights as logged where the config lacks the quantisation: only the estimate is judged then.
    weights = row.weights_gib if quantised and row.weights_gib else weighed.weights.total / GIB
    left = total * row.gpu_memory_utilization - weights if row.gpu_memory_utilization else 0.0
    parts = (weighed.overhead.activation, weighed.overhead.non_torch)  # no row's release counts graphs on its GPU
    low, middle, high = (sum(getattr(part, side) for part in parts) / GIB for side in ("high", "middle", "low"))
    assumed = "" if row.max_num_seqs else "max_num_seqs 1024 assumed"
    return Verdict(row, half, "available KV", "GiB", logged, left - middle, left - low, left - high, assumed)


def summary(verdicts: Sequence[Verdict]) -> str:
    """Medians of the errors without their sign, over all rows and over each half."""
    parts = []
    for quantity in ("weights", "KV tokens", "available KV"):
        for half in ("odd", "even"):
            errors = [
                abs(v.error) for v in verdicts if v.quantity == quantity and v.half == half and v.error is not None
            ]
            worst = f", worst {max(errors):.2f} %" if errors else ""
            shown = f"median {median(errors):.2f} %{worst}" if errors else "none"
            parts.append(f"{quantity} {half}: {shown} ({len(errors)})")
    rows = {v.row.id for v in verdicts}
    predicted = {v.row.id for v in verdicts if v.predicted is not None}
    return f"{len(predicted)} of {len(rows)} rows predicted; " + "; ".join(parts)
