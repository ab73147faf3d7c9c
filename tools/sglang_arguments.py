"""Write which arguments SGLang's server takes in each release, from the published wheels.

Run by hand, with network and pip: ``python -m tools.sglang_arguments``.
The wheels are read and thrown away; what stays is ``tests/support/sglang_arguments.json``.
"""

from __future__ import annotations

import ast
import json
import tempfile
from pathlib import Path

from tools.contracts.download import fetch

# 0.5.12 is what verl 0.9.1 pins, 0.5.15 what its ROCm image builds.
RELEASES = ("0.5.12", "0.5.15")
FILE = "sglang/srt/server_args.py"
OUT = Path(__file__).parent.parent / "tests" / "support" / "sglang_arguments.json"


def arguments(source: str) -> list[str]:
    """Names of the fields of the class ``ServerArgs``, sorted.

    Raises:
        ValueError: the source has no such class, or it has no annotated field.
    """
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == "ServerArgs":
            fields = {n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
            if fields:
                return sorted(fields)
    raise ValueError(f"{FILE}: no class ServerArgs with annotated fields")


def main() -> None:
    """Read every release and write the table."""
    table = {}
    for release in RELEASES:
        with tempfile.TemporaryDirectory() as folder:
            unpacked = fetch("sglang", release, Path(folder), FILE.__eq__)
            table[release] = arguments((unpacked.root / FILE).read_text(encoding="utf-8"))
        print(f"sglang {release}: {len(table[release])} arguments")
    OUT.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
