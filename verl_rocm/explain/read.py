"""One pass over a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from verl_rocm.explain import errors, versions
from verl_rocm.explain.line import Line, parse
from verl_rocm.explain.match import Hits, Matcher, fewest
from verl_rocm.explain.source import Block, blocks
from verl_rocm.facts.base import Facts

LONGEST = 4000  # bytes of a line that are looked at, around the word that was found
REMEMBERED = 20_000  # different lines that are recognised when they come again
BEFORE, AFTER = 12, 4  # lines around the first error that are worth sending
_DIGITS = b"0123456789"


@dataclass(frozen=True)
class First:
    """The first error: its line, its number from 1, and the lines around it."""

    line: Line
    number: int
    around: tuple[str, ...]


@dataclass
class Reading:
    """What a log shows."""

    lines: int = 0
    named: versions.Named = field(default_factory=versions.Named)
    hits: Hits = field(default_factory=Hits)
    cause: First | None = None
    echo: First | None = None

    @property
    def error(self) -> First | None:
        """The first error that is a cause, else the first that reports one."""
        return self.cause or self.echo


def _span(data: bytes, begin: int, end: int) -> tuple[int, int]:
    """Where the line around a find begins and ends; a progress bar's carriage return ends a line too."""
    first, last = max(0, begin - LONGEST), end + LONGEST
    low = max(data.rfind(b"\n", first, begin), data.rfind(b"\r", first, begin), first - 1) + 1
    high = data.find(b"\n", end, last)
    return low, min(last, len(data)) if high < 0 else high


def _around(block: Block, at: int) -> tuple[str, ...]:
    low = high = at
    for _ in range(BEFORE + 1):
        low = max(block.data.rfind(b"\n", 0, max(low, 0)), 0)
    for _ in range(AFTER + 1):
        high = block.data.find(b"\n", high + 1) % (len(block.data) + 1)
    shown = block.data[low:high].strip(b"\n").split(b"\n")
    return tuple(parse(raw[:LONGEST]).text[:300] for raw in shown)


def read(log: str, facts: Facts) -> Reading:
    """Everything that ``log``, a path or ``-``, shows; memory does not grow with it.

    Raises:
        Unusable: the log cannot be read.
    """
    matcher, reading = Matcher(facts), Reading()
    words = fewest({*matcher.anchors(), *errors.TRIGGERS, *versions.TRIGGERS})
    known: dict[bytes, tuple[str, ...]] = {}  # lines without digits -> fragments; nothing else is new in them
    for block in blocks(log):
        for low, high, number in _finds(block, words):
            raw = block.data[low:high]
            key = raw.translate(None, _DIGITS)
            if key in known and not (reading.cause is None and known[key]):
                for text in known[key]:
                    reading.hits.by_text[text].times += 1
                continue
            line = parse(raw)
            _take(reading, matcher, facts, block, low, number, line, known, key)
        reading.lines = block.first + block.data.count(b"\n") - block.data.endswith(b"\n")
    return reading


def _take(
    reading: Reading,
    matcher: Matcher,
    facts: Facts,
    block: Block,
    low: int,
    number: int,
    line: Line,
    known: dict[bytes, tuple[str, ...]],
    key: bytes,
) -> None:
    error = errors.is_error(line)
    fragments = tuple(matcher.fragments_in(line))
    for fragment in fragments:
        reading.hits.add(fragment, line, number, error or line.level == "error")
    named = reading.named.read(line.text, facts)
    if error and reading.cause is None:
        first = First(line, number, _around(block, low))
        if errors.is_echo(line):
            reading.echo = reading.echo or first
        else:
            reading.cause = first
    if not named and len(known) < REMEMBERED:
        known[key] = tuple(fragment.text for fragment in fragments)


def _finds(block: Block, words: Sequence[bytes]) -> list[tuple[int, int, int]]:
    """Begin, end and number of each line that has one of ``words``; a very long line only around the word.

    A plain search for each word is several times as fast as one regular expression with all of them.
    """
    data, ends = block.data, dict[int, int]()
    for word in words:
        position = data.find(word)
        while position >= 0:
            low, high = _span(data, position, position + len(word))
            ends[low] = max(high, ends.get(low, 0))
            position = data.find(word, high)
    finds, number, counted = [], block.first, 0
    for low in sorted(ends):
        number += data.count(b"\n", counted, low)
        counted = low
        finds.append((low, ends[low], number))
    return finds
