"""Known issues by the texts that they print: fragments of the facts against lines of a log."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from verl_rocm.explain.line import Line, normal
from verl_rocm.facts.base import Facts

SHORT = 24  # letters below which a fragment is met in healthy lines too
COMMON = ("CUDA error", "HIP error", "VISIBLE_DEVICES")  # of several known issues; one search finds them all
ANCHOR = 28  # characters of a fragment that the first search looks for
_PREFIX = re.compile(r"^(?:[\w.]*(?:Error|Exception)): ")  # Ray repeats the text below another name
_VARIES = re.compile(r"[^\s'\"`]*[\d/<>][^\s'\"`]*|['\"`]|\s+(?=\w*[._]\w)|\s\s+")


@dataclass(frozen=True)
class Fragment:
    """A normalised text, how many letters of it do not vary, and the issues that print it.

    ``issues`` has its place among the texts of each: an entry's first text is its most typical one.
    """

    text: str
    letters: int
    issues: Mapping[str, int]


@dataclass
class Hit:
    """A fragment in a log: the first line that has it, how often it is printed, and whether a line is an error."""

    fragment: Fragment
    line: Line
    number: int
    times: int = 0
    error: bool = False


def _anchor(symptom: str) -> str:
    """The longest piece of a symptom that no normalisation changes, to search raw bytes for.

    A piece ends before what may be the name of a file, because a log has its folder there.
    """
    pieces = [piece.strip(" ") for piece in _VARIES.split(_PREFIX.sub("", symptom))]
    return max(pieces, key=len)[:ANCHOR].rstrip()


@dataclass(frozen=True)
class Matcher:
    """All fragments, and the one search that finds the lines worth a look."""

    facts: Facts

    @cached_property
    def fragments(self) -> tuple[Fragment, ...]:
        """Fragments, each once."""
        owners: dict[str, dict[str, int]] = defaultdict(dict)
        for issue in self.facts.issues.values():
            for place, symptom in enumerate(issue.symptoms):
                owners[normal(_PREFIX.sub("", symptom))].setdefault(issue.id, place)
        return tuple(Fragment(text, sum(map(str.isalpha, text)), issues) for text, issues in sorted(owners.items()))

    def anchors(self) -> set[str]:
        """Pieces of raw text, one of which stands in every line that a fragment matches."""
        return {*COMMON, *(_anchor(symptom) for issue in self.facts.issues.values() for symptom in issue.symptoms)}

    def fragments_in(self, line: Line) -> Iterator[Fragment]:
        """The fragments that the line has."""
        text = normal(line.text)
        return (fragment for fragment in self.fragments if fragment.text in text)


def fewest(words: Iterable[str]) -> tuple[bytes, ...]:
    """The words without those that another one finds: "Error" finds every "ValueError: ..."."""
    kept = sorted(set(words))
    return tuple(w.encode() for w in kept if not any(other != w and other in w for other in kept))


@dataclass
class Hits:
    """What was met so far, by fragment."""

    by_text: dict[str, Hit] = field(default_factory=dict)

    def add(self, fragment: Fragment, line: Line, number: int, error: bool) -> None:
        """Count a line; the first line that is an error is the one to show."""
        hit = self.by_text.setdefault(fragment.text, Hit(fragment, line, number))
        if error and not hit.error:
            hit.line, hit.number, hit.error = line, number, True
        hit.times += line.times

    def counting(self, out_of_memory: bool) -> list[Hit]:
        """Hits that say something: a short text in a healthy line does so only where the job ran out of memory."""
        hits = self.by_text.values()
        return [hit for hit in hits if out_of_memory or hit.error or hit.fragment.letters >= SHORT]
