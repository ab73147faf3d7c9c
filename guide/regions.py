"""Named regions of snippet files: what a page shows and a test claims.

A region is what stands between two whole-line markers, ``# [start:NAME]`` and ``# [end:NAME]``.
Only the standard library is used, because the doctest run imports this module with the reader's own interpreter.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

MARKER = re.compile(r"^\s*#\s\[(start|end):([a-z0-9_]+)\]\s*$")
# A code block of the guide shows this many columns at 1280 pixels without a scroll bar.
WIDTH = 88
MARKER_LIKE = re.compile(r"\[\s*(start|end)\s*:")
SUFFIXES = {
    ".py": "python",
    ".sh": "bash",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".txt": "text",
    ".Dockerfile": "docker",
    ".def": "text",
}


@dataclass(frozen=True)
class Fault:
    """One violation of the rules for blocks.

    ``kind`` is the warning's subtype (``block.<kind>``); ``path`` is relative to the project; ``line`` counts from 1.
    """

    kind: str
    path: str
    line: int
    message: str


@dataclass(frozen=True)
class Region:
    """A named region of a snippet file.

    ``file`` is relative to ``snippets/``.  ``sha256`` covers the region's text, ``rest_sha256`` the lines of the file
    that are in no region (a helper there changes what every region of the file does), ``file_sha256`` the whole file.
    """

    file: str
    name: str
    text: str
    line: int
    sha256: str
    rest_sha256: str
    file_sha256: str

    @property
    def id(self) -> str:
        return f"{self.file}:{self.name}"

    @property
    def language(self) -> str:
        return SUFFIXES.get(Path(self.file).suffix, "text")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def scan(path: Path, root: Path) -> tuple[dict[str, Region], list[Fault]]:
    """Read the regions of the snippet ``path`` below ``root`` (the folder ``snippets``), and its faults.

    A file with a fault still gives those regions that are sound.
    """
    file = path.relative_to(root).as_posix()
    source = path.read_text(encoding="utf-8")
    faults: list[Fault] = []
    spans: dict[str, tuple[int, list[str]]] = {}
    rest: list[str] = []
    current: tuple[str, int, list[str]] | None = None

    def fault(kind: str, line: int, message: str) -> None:
        faults.append(Fault(kind, f"{root.name}/{file}", line, message))

    for number, line in enumerate(source.splitlines(), start=1):
        match = MARKER.match(line)
        if len(line) > WIDTH and path.suffix != ".txt":  # a .txt is what a program printed
            fault("wide", number, f"{len(line)} columns; a code block shows {WIDTH} without scrolling: break the line")
        if match is None:
            if MARKER_LIKE.search(line):
                fault("not_whole_line", number, f"a marker must be a whole line '# [start:name]': {line.strip()!r}")
            (current[2] if current else rest).append(line)
            continue
        word, name = match.groups()
        if word == "start":
            if current is not None:
                fault("nested", number, f"region '{name}' starts inside region '{current[0]}'")
            elif name in spans:
                fault("duplicate", number, f"region '{name}' starts a second time (first on line {spans[name][0]})")
                current = (name, number, [])
            else:
                current = (name, number, [])
        elif current is None or current[0] != name:
            fault("unpaired", number, f"region '{name}' ends here but has not started")
        else:
            if not any(text.strip() for text in current[2]):
                fault("empty", current[1], f"region '{name}' holds no line")
            elif name not in spans:
                spans[name] = (current[1], current[2])
            current = None
    if current is not None:
        fault("unpaired", current[1], f"region '{current[0]}' starts but never ends")

    rest_sha256, file_sha256 = _sha256("\n".join(rest)), _sha256(source)
    regions = {
        name: Region(file, name, "\n".join(lines), line, _sha256("\n".join(lines)), rest_sha256, file_sha256)
        for name, (line, lines) in spans.items()
    }
    return regions, faults


def snippet_files(root: Path) -> list[Path]:
    """All snippet files below ``root``, sorted; hidden files, caches and package markers are left out."""
    return sorted(path for path in root.rglob("*") if path.is_file() and not _is_beside(path.relative_to(root)))


def _is_beside(path: Path) -> bool:
    """Whether a file below ``snippets`` is there for a tool, and not for the reader."""
    return path.name == "__init__.py" or any(part.startswith((".", "__pycache__")) for part in path.parts)


def scan_tree(root: Path) -> tuple[dict[str, Region], list[Fault]]:
    """All regions below ``root`` by id (``how_to/sleep_mode.py:verify``), with all faults."""
    regions: dict[str, Region] = {}
    faults: list[Fault] = []
    for path in snippet_files(root):
        own, wrong = scan(path, root)
        regions.update({region.id: region for region in own.values()})
        faults.extend(wrong)
    return regions, faults
