"""What of a script was left out, or why it launched nothing: one line each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

QUIET = re.compile(r"(^|_)(PATH|PATHS|CPATH)$|^PS1$|^CONDA_")  # extended by many scripts, and nobody's setting
KINDS = ("not here", "left out", "not run", "passed over")
SHOWN = 8  # names of a kind in the line of notes


def line(notes: Mapping[str, list[str]], filled: Mapping[str, str]) -> str:
    """What was left out, in one line."""
    parts = {kind: list(dict.fromkeys(notes.get(kind, []))) for kind in KINDS}
    parts["not set"] = [
        f"{name} (taken as {value})" if value else f"{name} (empty)"
        for name, value in filled.items()
        if not QUIET.search(name)
    ]
    shown = [
        f"{kind}: {', '.join(items[:SHOWN])}" + (f" and {len(items) - SHOWN} more" if len(items) > SHOWN else "")
        for kind, items in parts.items()
        if items
    ]
    return f"of the script, {'; '.join(shown)}" if shown else ""


def silence(name: str, lines: Sequence[str], limit: float | None, status: int) -> str:
    """Why a script launched nothing of verl, in one line, from what it printed last."""
    if limit is not None:
        return f"{name} did not end within {limit:.0f} s and launched no trainer of verl"
    lines = [line for line in lines if not line.startswith("+")]  # what `set -x` shows
    pattern = r"(\w+): (?:unbound variable|parameter null or not set|(?:must )?(?:be )?set\b)"
    missing = re.search(pattern, lines[-1]) if lines else None
    if missing:
        return f"{name} needs the variable {missing[1]}: put {missing[1]}=... before the command, as for the script"
    last = f" (last line: {lines[-1][:160]})" if lines and status else ""
    return f"{name} launches no trainer of verl{last}"
