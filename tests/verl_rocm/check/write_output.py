"""Write what the page shows as output: ``python -m tests.verl_rocm.check.write_output``. A test compares it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from guide.records.base import write_text
from guide.records.output import output

ROOT = Path(__file__).parents[3]
MACHINE = "tests/verl_rocm/check/machines/made_page.json"
SHOWN = ROOT / "snippets" / "how_to" / "check_your_machine_output.txt"


def report() -> str:
    """The report on the machine that was made for the page, 100 columns wide, between the markers of a region."""
    done = subprocess.run(
        [sys.executable, "-m", "verl_rocm", "check", "--machine", MACHINE],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT)},
    )
    return output({"output": done.stdout})


if __name__ == "__main__":
    write_text(SHOWN, report())
