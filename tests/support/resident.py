"""A memory counter for engines that run in this process, and how such an engine is built."""

import os
from pathlib import Path

OPTIONS: dict[str, int | str] = {"max_model_len": 1024, "enforce_eager": True, "seed": 0, "dtype": "float32"}


class Resident:
    """Resident memory of this process: the engine runs in it."""

    name = "resident memory of the engine's process"

    def used(self) -> tuple[int, ...]:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return (pages * os.sysconf("SC_PAGESIZE"),)
