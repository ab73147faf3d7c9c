"""Programs that a shell script calls, replaced on its PATH by a line of shell."""

from __future__ import annotations

import os
from pathlib import Path


def stand_ins(folder: Path, **programs: str) -> str:
    """Write each program into ``folder``; gives the PATH that begins with it."""
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
