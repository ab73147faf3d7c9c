"""What ``records/judge`` keeps: the rows that were checked at their source, and nothing else."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.judge.verdicts import FIELDS, Verdict

RECORDS = Path(__file__).resolve().parents[2] / "records" / "judge"


def write(name: str, verdicts: Sequence[Verdict], summary: Callable[[Sequence[Verdict]], str]) -> None:
    """Write the page's table ``name.csv`` and its sum ``name.txt``, of the rows that ``checked.toml`` names."""
    checked = tomllib.loads((RECORDS / "checked.toml").read_text(encoding="utf-8"))
    kept = [verdict for verdict in verdicts if verdict.id in checked]
    with (RECORDS / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows(verdict.fields() | {"source": checked[verdict.id]} for verdict in kept)
    (RECORDS / f"{name}.txt").write_text(summary(kept) + "\n", encoding="utf-8")
