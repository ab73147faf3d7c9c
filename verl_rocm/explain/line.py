"""One line of a log: who printed it, at which level, and the text that two runs have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "quiet", "plain"]

_ANSI = re.compile(  # a log that was copied from a page has lost the escape character
    r"(?:\x1b|ESC|\^\[)?\[[0-9;]{1,11}m|\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])"
    r"|[\x00-\x08\x0b-\x1f\x7f]"
)
_LABEL = re.compile(r"^(?:\d{1,4}: |[\w.-]+\s+\| )")  # srun's and docker compose's
_PROCESS = re.compile(r"^\s*\((?P<name>[\w.:\-= ]+?) pid=\d+(?:, ip=[\d.a-f:]+)?\)\s?")  # Ray's and vLLM's
_REPEATED = re.compile(r"\s*\[repeated (?P<times>\d+)x across cluster\].*$")
_LEVEL = re.compile(
    r"^(?:\[?\d{4}[-/]\d\d[-/]\d\d[ T][\d:.,]+\]?[\s-]*)?(?:\[rank\d+\]:?\s*)?"
    r"\[?(?P<level>DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)\]?\b[:,]?\s*"
    r"(?:(?:\d{4}-)?\d\d-\d\d (?:[\d:.,]+)?\s*)?(?:\[[\w./-]+:\d+\]\s*|[\w./-]+:\d+(?:\]|\s+--)\s*)?"
)
_RANK = re.compile(r"^\[rank\d+\]:?\s?")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_PATH = re.compile(r"(?:\.{0,2}/)?(?:[\w.+-]+/)+")
_ZERO = re.compile(r"(?<= )0(?:\.0+)?(?= )")
_NUMBER = re.compile(r"\d+(?:[.,:]\s?\d+)*")
_QUOTES = str.maketrans(dict.fromkeys("\"'`\u2018\u2019\u201c\u201d", "'"))


@dataclass(frozen=True)
class Line:
    """A line without what only dresses it.  ``process`` is Ray's or vLLM's name of who printed it."""

    text: str
    process: str = ""
    level: Level = "plain"
    times: int = 1


def parse(raw: bytes) -> Line:
    """A line of a log; bytes that are no UTF-8 are replaced, colours and prefixes taken away."""
    text = _LABEL.sub("", _ANSI.sub("", raw.decode("utf-8", "replace")))
    process, level = "", "plain"
    while match := _PROCESS.match(text):  # Ray puts its prefix before vLLM's
        process, text = match["name"], text[match.end() :]
    times = 1
    if repeated := _REPEATED.search(text):
        times, text = int(repeated["times"]), text[: repeated.start()]
    text = _RANK.sub("", text)
    if stated := _LEVEL.match(text):
        level = "error" if stated["level"] in ("ERROR", "CRITICAL", "FATAL") else "quiet"
        text = text[stated.end() :]
    return Line(text.strip(), process, level, times)  # type: ignore[arg-type]


def normal(text: str) -> str:
    """Text without what differs from run to run: numbers, addresses, folders, kinds of quotes, widths of gaps.

    A number that is 0 and stands alone stays, because "freed 0.00 GiB" says something that "freed 8.51 GiB" does not.
    """
    text = " ".join(text.translate(_QUOTES).split())
    text = _PATH.sub("", _HEX.sub("#", text))
    return _NUMBER.sub("#", _ZERO.sub("zero", text))
