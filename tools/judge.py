"""``make judge ROWS=DIR``: predict what public logs of vLLM's start report, and print both side by side.

DIR holds ``engine.jsonl``: one log a line, ``null`` where its source does not say.  Each row with enough inputs goes
through a dry run, whose engine is weighed; the rest is listed with the reason.  Odd lines are those on which a
calibration may be fitted, even ones judge it.  ``--write`` keeps in ``records/judge`` the rows that ``checked.toml``
there names, those that were checked at their source; nothing else is published.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydantic import BaseModel, ValidationError

from verl_rocm import models
from verl_rocm.dryrun import engines
from verl_rocm.dryrun.jobs import MAIN, Job, Question, identities, request
from verl_rocm.memory.rollout import GIB, Weighed
from verl_rocm.paste import KWARGS, ROLLOUT
from verl_rocm.worker.wire import Refusal, Request, Resolution

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "records" / "judge"
FIELDS = ("id", "half", "source", "quantity", "unit", "logged", "predicted", "low", "high", "error_percent", "why")
LOGGED_TO = 0.005 * GIB  # a log rounds to 0.01 GiB


class Row(BaseModel):
    """One public log; memory in GiB."""

    id: str
    source: str
    gpu: str | None = None
    gpu_memory_gib: float | None = None
    model: str | None = None
    quantization: str | None = None
    tp: int | None = None
    kv_cache_dtype: str | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    gpu_memory_utilization: float | None = None
    weights_gib: float | None = None
    available_kv_gib: float | None = None
    kv_tokens: int | None = None


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


class BadRows(Exception):
    """One line: which file, which line, what is wrong."""


def read(folder: Path) -> list[Row]:
    """The rows of a folder.

    Raises:
        BadRows: there is no such file, or a line of it is none.
    """
    file = folder / "engine.jsonl"
    if not file.is_file():
        raise BadRows(f"{file} is not there: name a folder with engine.jsonl, ROWS=DIR")
    rows = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            rows.append(Row.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise BadRows(f"{file}:{number}: {where + ': ' if where else ''}{first['msg']}") from None
    return rows


def skipped(row: Row) -> str:
    """Why a row cannot be predicted; empty if it can."""
    if row.weights_gib is None and row.kv_tokens is None and row.available_kv_gib is None:
        return "nothing logged that is predicted"
    if row.model is None:
        return "the model is not named"
    if models.lookup(_named(row)) is None:
        return f"no config of {row.model} is bundled"
    if row.tp is None:
        return "the number of ranks is not stated"
    return ""


def _named(row: Row) -> str:
    """The bundled model of a row: a quantised checkpoint has the KV cache of the plain one."""
    return (row.model or "").removesuffix("-FP8")


def job(row: Row, folder: Path) -> Request:
    """The dry run whose engine has the row's sizes; what the row leaves out is vLLM's default on its GPU."""
    overrides = {
        "algorithm.adv_estimator": "grpo",
        "actor_rollout_ref.model.path": _named(row),
        "actor_rollout_ref.actor.use_dynamic_bsz": True,
        f"{ROLLOUT}.name": "vllm",
        f"{ROLLOUT}.tensor_model_parallel_size": row.tp,
        f"{ROLLOUT}.max_num_seqs": row.max_num_seqs or 1024,
        f"{ROLLOUT}.prompt_length": 512,
        f"{ROLLOUT}.response_length": 512,
        "data.max_prompt_length": 512,
        "data.max_response_length": 512,
    }
    if row.max_model_len:
        overrides[f"{ROLLOUT}.max_model_len"] = row.max_model_len
    arguments = [f"{key}={value}" for key, value in overrides.items()]
    if row.available_kv_gib:
        arguments.append(f"++{KWARGS}.kv_cache_memory_bytes={round(row.available_kv_gib * GIB)}")
    question = Question(gpus=("MI300X",))
    (gpu,) = identities(question)
    return request(question, Job(MAIN, tuple(arguments)), gpu, folder)


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


def judged(rows: Sequence[Row]) -> list[Verdict]:
    """All rows, predicted in one child process."""
    halves = {row.id: "odd" if number % 2 else "even" for number, row in enumerate(rows, start=1)}
    verdicts = [Verdict(row, halves[row.id], "", why=why) for row in rows if (why := skipped(row))]
    ready = [row for row in rows if not skipped(row)]
    with tempfile.TemporaryDirectory(prefix="verl-rocm-judge-") as name:
        requests = [job(row, Path(name)) for row in ready]
        answers = engines.resolve(requests, engines.interpreter(None)).answers if requests else ()
    for row, answer in zip(ready, answers, strict=True):
        half = halves[row.id]
        if isinstance(answer, Refusal):
            verdicts.append(Verdict(row, half, "", why=answer.problems[0].line()))
        elif isinstance(answer, Resolution) and isinstance(answer.memory, Weighed):
            verdicts += figures(row, half, answer.memory)
        else:
            verdicts.append(Verdict(row, half, "", why=getattr(answer.memory, "reason", "not weighed")))
    order = {row.id: number for number, row in enumerate(rows)}
    return sorted(verdicts, key=lambda verdict: order[verdict.row.id])


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


def write(verdicts: Sequence[Verdict]) -> None:
    """Keep what was checked at its source: ``engine.csv`` the page's table, ``engine.json`` has a summary."""
    checked = tomllib.loads((RECORDS / "checked.toml").read_text(encoding="utf-8"))
    kept = [verdict for verdict in verdicts if verdict.row.id in checked]
    rows = [verdict.fields() | {"source": checked[verdict.row.id]} for verdict in kept]
    with (RECORDS / "engine.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    record = {"vllm": engines.installed(), "summary": summary(kept), "rows": rows}
    (RECORDS / "engine.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """0: judged; 2: the rows cannot be read."""
    parser = argparse.ArgumentParser(description="Predict what public logs report.")
    parser.add_argument("rows", type=Path, help="a folder with engine.jsonl")
    parser.add_argument("--write", action="store_true", help="keep what was checked at its source in records/judge")
    arguments = parser.parse_args()
    try:
        verdicts = judged(read(arguments.rows))
    except (BadRows, engines.EngineProblem) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    for verdict in verdicts:
        shown = verdict.fields()
        limits = f"[{shown['low']} to {shown['high']}]" if verdict.low is not None else ""
        figure = (
            f"logged {shown['logged']}, predicted {shown['predicted'] or '-'} {limits}"
            if verdict.quantity
            else "skipped"
        )
        error = f"{shown['error_percent']} %" if shown["error_percent"] else ""
        print(
            " ".join(
                filter(None, (verdict.row.id, verdict.quantity, figure, error, verdict.why and f"({verdict.why})"))
            )
        )
    if arguments.write:
        write(verdicts)
    print(summary(verdicts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
