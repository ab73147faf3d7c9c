"""How both commands print: a width that follows the terminal, labels, lines to paste that are never broken."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from verl_rocm.cures import Cure
from verl_rocm.finding import Finding, Remedy

WIDE = 10_000  # columns of a pipe: whoever reads it folds lines or does not
STYLES = {"finding": "bold yellow", "note": "", "refusal": "bold red"}


def console() -> Console:
    """Standard output: as wide as the terminal; in a pipe without colours and without folding (``COLUMNS`` decides)."""
    terminal = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, soft_wrap=False, width=None if terminal else WIDE)


def clean(text: str) -> str:
    """Text from outside without what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


def counted(number: int, name: str) -> str:
    """``no notes``, ``1 note``, ``2 notes``."""
    return f"{number or 'no'} {name}{'' if number == 1 else 's'}"


def row(out: Console, label: str, text: str, indent: int = 9, style: str = "") -> None:
    """One labelled text, wrapped beside its label."""
    width = max(out.width, 40) - indent
    for number, line in enumerate(Text(clean(text), style=style).wrap(out, width)):
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
    out.print(Text(clean(item.title), style=STYLES[item.level]), Text(tag(item)), soft_wrap=True)
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
            row(out, "-", f"{issue.title} {tag(issue)}{f': {issue.seen}' if issue.seen else ''}", indent=4)
            if not (cure.upgrade or cure.lines):
                for way in issue.remedies:
                    row(out, "", way.sentence(), indent=6)
