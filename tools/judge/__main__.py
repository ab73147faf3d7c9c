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
from pathlib import Path

from tools.judge.rows import BadRows, Row, job, read, skipped
from tools.judge.verdicts import FIELDS, Verdict, figures, summary
from verl_rocm.dryrun import engines
from verl_rocm.memory.rollout import Weighed
from verl_rocm.worker.wire import Refusal

RECORDS = Path(__file__).resolve().parents[2] / "records" / "judge"


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
        elif isinstance(answer.memory, Weighed):
            verdicts += figures(row, half, answer.memory)
        else:
            verdicts.append(Verdict(row, half, "", why=answer.memory.reason))
    order = {row.id: number for number, row in enumerate(rows)}
    return sorted(verdicts, key=lambda verdict: order[verdict.row.id])


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
