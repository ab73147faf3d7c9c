"""How both commands print: a width that follows the terminal, labels, lines to paste that are never broken."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.style import Style
from rich.text import Text

from verl_rocm.cures import Cure
from verl_rocm.finding import Finding, Remedy

WIDE = 10_000  # columns of a pipe: whoever reads it folds lines or does not
STYLES = {"finding": "bold yellow", "note": "", "refusal": "bold red"}


def console(stream: TextIO | None = None) -> Console:
    """Standard output, or ``stream``: as wide as the terminal; in a pipe without colours and without folding.

    ``COLUMNS`` decides the width, ``NO_COLOR`` that there are no colours.
    """
    file = stream or sys.stdout
    terminal = file.isatty() or "COLUMNS" in os.environ
    return Console(file=file, highlight=False, soft_wrap=False, width=None if terminal else WIDE)


def clean(text: str) -> str:
    """Text from outside without what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


def counted(number: int, name: str) -> str:
    """``no notes``, ``1 note``, ``2 notes``."""
    return f"{number or 'no'} {name}{'' if number == 1 else 's'}"


def linked(text: str, *items: Finding, style: str = "") -> Text:
    """Text in which a terminal makes the ids of ``items`` links to their entries."""
    body = Text(clean(text), style=style)
    for item in items:
        if item.url and (start := body.plain.rfind(item.id)) >= 0:
            body.stylize(Style(link=item.url), start, start + len(item.id))
    return body


def row(out: Console, label: str, text: str | Text, indent: int = 9) -> None:
    """One labelled text, wrapped beside its label."""
    width = max(out.width, 40) - indent
    body = Text(clean(text)) if isinstance(text, str) else text
    for number, line in enumerate(body.wrap(out, width)):
        line.rstrip()
        head = f"  {label if number == 0 else ''}"
        out.print(Text(head.ljust(indent)) + line, soft_wrap=True)


def pasted(out: Console, label: str, lines: Sequence[str], indent: int = 9) -> None:
    """Lines to paste, each whole."""
    for number, line in enumerate(lines):
        head = f"  {label if number == 0 else ''}".ljust(indent)
        out.print(Text(head) + Text(clean(line), style="green"), soft_wrap=True)


def remedies(out: Console, ways: Sequence[Remedy]) -> None:
    """The ways out, each with its lines."""
    for number, way in enumerate(ways):
        label = "do" if number == 0 else "or"
        if text := way.sentence():
            row(out, label, text)
            label = ""
        pasted(out, label, way.lines)


def tag(finding: Finding) -> str:
    """``[sleep-leaves-vram-full, reported]``."""
    return f"[{finding.id}, {finding.confidence}]"


def finding(out: Console, item: Finding) -> None:
    """One finding in full."""
    out.print()
    title = Text(clean(item.title), style=STYLES[item.level])
    out.print(title, linked(tag(item), item), soft_wrap=True)
    for label, text in (("seen", item.seen), ("why", item.why)):
        if text:
            row(out, label, text)
    remedies(out, item.remedies)


def cures(out: Console, groups: Sequence[Cure], total: int) -> None:
    """Known issues by what ends them, an issue a line."""
    for cure in groups:
        out.print()
        ends = f"ends {len(cure.issues)} of {total}" if cure.upgrade or cure.lines else f"{len(cure.issues)} of {total}"
        out.print(Text(f"{cure.label()}  ({ends})", style="bold"), soft_wrap=True)
        pasted(out, "", cure.lines, indent=4)
        if cure.brings:
            row(out, "", f"brings {', '.join(cure.brings)}", indent=4)
        for issue in cure.issues:
            text = f"{issue.title} {tag(issue)}{f': {issue.seen}' if issue.seen else ''}"
            row(out, "-", linked(text, issue), indent=4)
            if not (cure.upgrade or cure.lines):
                for way in issue.remedies:
                    row(out, "", way.sentence(), indent=6)
