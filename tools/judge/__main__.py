"""``make judge ROWS=DIR``: predict what public logs of vLLM report, and print both side by side.

DIR holds ``engine.jsonl`` (memory, from an engine's start), ``micro.jsonl`` (time, from a benchmark), or both: one log
a line, ``null`` where its source does not say.  Memory comes from a dry run whose engine is weighed, time from the
cost model; a row without enough inputs is listed with the reason.  The last line sums up both.  ``--write`` keeps in
``records/judge`` the rows that ``checked.toml`` there names, those that were checked at their source.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.judge import memory, memory_rows, record, times
from tools.judge.rows import BadRows, read
from verl_rocm.dryrun.engines import EngineProblem, installed


def main(arguments: Sequence[str] | None = None) -> int:
    """0: judged; 2: the rows cannot be read, or there is no engine."""
    parser = argparse.ArgumentParser(description="Predict what public logs report.")
    parser.add_argument("rows", type=Path, help="a folder with engine.jsonl, micro.jsonl or both")
    parser.add_argument("--write", action="store_true", help="keep what was checked at its source in records/judge")
    options = parser.parse_args(arguments)
    try:
        logs = read(options.rows / "engine.jsonl", memory_rows.Row)
        benchmarks = read(options.rows / "micro.jsonl", times.Row)
        if not logs and not benchmarks:
            raise BadRows(f"{options.rows} has neither engine.jsonl nor micro.jsonl with rows: name a folder, ROWS=DIR")
        weighed, timed = memory.judged(logs), times.judged(benchmarks)
    except (BadRows, EngineProblem) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    for verdict in (*weighed, *timed):
        print(verdict.line())
    if options.write:
        if weighed:
            record.write("memory", weighed, lambda kept: f"{memory.summary(kept)}; vLLM {installed()}")
        if timed:
            record.write("time", timed, times.summary)
    print(f"{memory.summary(weighed)}. {times.summary(timed)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
