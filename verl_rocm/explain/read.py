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


@dataclass
class _Pass:
    """A pass over a log; ``known`` are lines without digits with their fragments: nothing else is new in them."""

    facts: Facts
    matcher: Matcher
    reading: Reading = field(default_factory=Reading)
    known: dict[bytes, tuple[str, ...]] = field(default_factory=dict)

    def take(self, block: Block, low: int, high: int, number: int) -> None:
        """Look at one line."""
        raw = block.data[low:high]
        key = raw.translate(None, _DIGITS)
        recurs = b" 0" not in raw  # a zero can say something, see `normal`
        if recurs and key in self.known:
            for text in self.known[key]:
                self.reading.hits.by_text[text].times += 1
            return
        line = parse(raw)
        error = errors.is_error(line)
        fragments = tuple(self.matcher.fragments_in(line))
        for fragment in fragments:
            self.reading.hits.add(fragment, line, number, error or line.level == "error")
        if error and self.reading.cause is None:
            first = First(line, number, _around(block, low))
            if errors.is_echo(line):
                self.reading.echo = self.reading.echo or first
            else:
                self.reading.cause = first
        named = self.reading.named.read(line.text, self.facts)
        if recurs and not named and line.times == 1 and len(self.known) < REMEMBERED:
            self.known[key] = tuple(fragment.text for fragment in fragments)


def read(log: str, facts: Facts) -> Reading:
    """Everything that ``log``, a path or ``-``, shows; memory does not grow with it.

    Raises:
        Unusable: the log cannot be read.
    """
    matcher = Matcher(facts)
    search = _Pass(facts, matcher)
    always = {*matcher.anchors(), *versions.TRIGGERS}
    before, after = fewest(always | {*errors.TRIGGERS}), fewest(always)  # the first error
    for block in blocks(log):
        for low, high, number in _finds(block, after if search.reading.cause else before):
            search.take(block, low, high, number)
        search.reading.lines = block.first + block.data.count(b"\n") - block.data.endswith(b"\n")
    return search.reading


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
