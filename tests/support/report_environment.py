"""A plugin that vLLM loads in each of its processes: it notes the process and its environment, and changes nothing.

One JSON line a process in the file ``REPORT_ENVIRONMENT``.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

VARIABLE = "REPORT_ENVIRONMENT"


def register() -> None:
    """vLLM calls this; the last line of a process counts."""
    if path := os.environ.get(VARIABLE):
        line = {"process": multiprocessing.current_process().name, "pid": os.getpid(), "environ": dict(os.environ)}
        with Path(path).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
