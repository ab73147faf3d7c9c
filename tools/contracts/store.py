"""Writes a contract with one name a line, sorted, and compares two."""

from __future__ import annotations

import json
from pathlib import Path

from packaging.version import Version

from verl_rocm.facts.contract import Contract


def _line(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(", ", ": "))


def dumps(contract: Contract) -> str:
    """JSON text; a section is a block, a name in it a line."""
    blocks = []
    for section, content in sorted(contract.items()):
        if isinstance(content, dict) and content:
            lines = ",\n".join(f"  {json.dumps(k)}: {_line(v)}" for k, v in sorted(content.items()))
            blocks.append(f" {json.dumps(section)}: {{\n{lines}\n }}")
        else:
            blocks.append(f" {json.dumps(section)}: {_line(content)}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def write(path: Path, contract: Contract) -> None:
    """Write ``contract`` to ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps(contract), encoding="utf-8")


def read(folder: Path, release: str) -> Contract:
    """The stored contract of a release.

    Raises:
        FileNotFoundError: it is not stored; the text says what to do.
    """
    path = folder / f"{release}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder.name} {release} is not stored; run `make releases`")
    contract: Contract = json.loads(path.read_text(encoding="utf-8"))
    return contract


def stored(folder: Path) -> list[str]:
    """Stored releases, oldest first."""
    return sorted((p.stem for p in folder.glob("*.json")), key=Version)
