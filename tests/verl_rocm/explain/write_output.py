"""Write what the page shows as output: ``python -m tests.verl_rocm.explain.write_output``. A test compares it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from guide.records.base import write_text
from guide.records.output import output

ROOT = Path(__file__).parents[3]
LOG = "tests/support/explain/job.log"
SHOWN = ROOT / "snippets" / "how_to" / "explain_a_log_output.txt"


def printed() -> str:
    """What the command prints of the log that was made for the page, 100 columns wide."""
    command = [sys.executable, "-m", "verl_rocm", "explain", LOG]
    environ = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environ, timeout=60).stdout


if __name__ == "__main__":
    write_text(SHOWN, output({"output": printed()}))
