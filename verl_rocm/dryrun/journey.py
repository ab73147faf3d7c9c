"""The way of a setting in one line, for a reader."""

from __future__ import annotations

from verl_rocm.worker.wire import Trace

LIMIT = 46


def short(value: object) -> str:
    """A value in one cell; ``-`` for nothing."""
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        text = ",".join(map(str, value))
        text = f"{','.join(map(str, value[:7]))},...,{value[-1]} ({len(value)})" if len(value) > 12 else text
        return f"[{text}]"
    text = str(value)
    return text if len(text) <= LIMIT else text[: LIMIT - 3] + "..."


def mark(row: Trace) -> str:
    """Why a row deserves a look; empty if what was asked for arrived."""
    if row.verl is False and row.sent is None:
        return "not sent" if row.vllm in (False, None) else "not sent, vLLM: True"
    if not row.known:
        return "not read back"
    if row.sent is None or isinstance(row.verl, dict) or row.vllm is None:
        return ""
    return "" if str(row.verl).lower() == str(row.vllm).lower() else "changed"


def line(row: Trace) -> tuple[str, str]:
    """``~ max_num_seqs`` and ``256 -> 128``: ``~`` changed on the way, ``=`` arrived."""
    why = mark(row)
    requested = short(row.override if row.override is not None else row.verl)
    if why in ("changed", "not sent, vLLM: True"):
        return f"~ {row.argument}", f"{requested} -> {short(row.vllm)}"
    suffix = {"not sent": "(vLLM's default, no flag needed)", "not read back": "(sent)"}.get(why, "")
    return f"= {row.argument}", f"{requested} {suffix}".rstrip()


def worth_showing(row: Trace, every: bool) -> bool:
    """Rows that the user set or that changed on the way; all of them if ``every``."""
    return every or row.override is not None or mark(row) in ("changed", "not sent, vLLM: True")
