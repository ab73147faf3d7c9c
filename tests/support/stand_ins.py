"""Programs that a shell script calls, replaced on its PATH by a line of shell."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


def stand_ins(folder: Path, **programs: str) -> str:
    """Write each program into ``folder``; gives the PATH that begins with it."""
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@dataclass
class Machine:
    """A folder that plays a machine: commands that a script finds first, and `calls`, the file they write to."""

    root: Path

    def write(self, name: str, text: str) -> Path:
        """Write a file of the machine, making its folders."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def command(self, name: str, text: str) -> None:
        """Write an executable that the script finds first."""
        self.write(f"bin/{name}", text).chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """What the commands wrote down, in order."""
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []
