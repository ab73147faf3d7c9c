"""What ``explain`` says of a log, as one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from verl_rocm.cures import RANK
from verl_rocm.explain import errors, versions
from verl_rocm.explain.match import Hit
from verl_rocm.explain.read import Reading
from verl_rocm.facts.base import Facts
from verl_rocm.finding import Finding, of_issue, one_line
from verl_rocm.part import Part
from verl_rocm.paste import Target


class LogError(Part):
    """The first error; ``process`` is the name that Ray or vLLM prints before it, ``line`` counts from 1."""

    line: int
    process: str
    text: str


class Entry(Part):
    """A known issue that prints the text; ``versions_known``: the log names all versions that it is about."""

    finding: Finding
    diagnosis: str
    versions_known: bool


class Group(Part):
    """Known issues that print the same line, best first.  With more than one, ``diagnosis`` tells them apart."""

    line: int
    text: str
    times: int
    entries: tuple[Entry, ...]


class Report(Part):
    """What ``explain --json`` prints.

    ``left_out`` are known issues whose text is in the log and which its versions or GPUs cannot have; ``send`` are the
    lines around the first error.
    """

    format: Literal[1] = 1
    log: str
    lines: int
    versions: dict[str, tuple[str, ...]]
    gpus: tuple[str, ...]
    archs: tuple[str, ...]
    error: LogError | None
    groups: tuple[Group, ...]
    left_out: tuple[str, ...]
    send: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """1 if a known issue matches, else 0."""
        return int(bool(self.groups))


def _best(hits: Sequence[Hit]) -> dict[str, Hit]:
    """The most telling hit of each known issue: in an error, with the longest text, with the fewest others."""
    best: dict[str, Hit] = {}
    for hit in sorted(hits, key=lambda hit: (not hit.error, -hit.fragment.letters, len(hit.fragment.issues))):
        for name in hit.fragment.issues:
            best.setdefault(name, hit)
    return best


def build(log: str, reading: Reading, facts: Facts, target: Target) -> Report:
    """The report on a log that was read."""
    first = reading.error
    best = _best(reading.hits.counting(first is not None and errors.out_of_memory(first.line)))
    holds = {name: versions.affects(facts.issues[name], reading.named) for name in best}
    kept = [name for name, answer in holds.items() if answer is not False]

    def rank(name: str) -> tuple[bool | int | str, ...]:
        hit, fragment = best[name], best[name].fragment
        later = first is not None and hit.number != first.number  # what a first error brings down is no cause
        specific = (-fragment.letters, len(fragment.issues), fragment.issues[name])
        return not hit.error, later, *specific, RANK[facts.issues[name].confidence], holds[name] is not True, name

    groups: dict[int, list[str]] = {}
    for name in sorted(kept, key=rank):
        groups.setdefault(best[name].number, []).append(name)
    return Report(
        log=log,
        lines=reading.lines,
        versions={name: tuple(values) for name, values in reading.named.versions.items()},
        gpus=tuple(reading.named.gpus),
        archs=tuple(reading.named.archs),
        error=LogError(line=first.number, process=first.line.process, text=first.line.text[:500]) if first else None,
        groups=tuple(_group(facts, best, holds, names, target) for names in groups.values()),
        left_out=tuple(sorted(name for name, answer in holds.items() if answer is False)),
        send=first.around if first else (),
    )


def _group(
    facts: Facts, best: dict[str, Hit], holds: dict[str, bool | None], names: Sequence[str], target: Target
) -> Group:
    hit = best[names[0]]
    entries = (
        Entry(
            finding=of_issue(facts, facts.issues[name], target, seen=f"line {hit.number}"),
            diagnosis=one_line(facts.issues[name].diagnosis),
            versions_known=holds[name] is True,
        )
        for name in names
    )
    return Group(line=hit.number, text=hit.line.text[:500], times=hit.times, entries=tuple(entries))
