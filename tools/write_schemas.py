"""``make schemas``: write the JSON schemas of what the commands print, from their models.

A schema that changed under the same format number is not written: whoever reads the output needs either the next
number, or (``COMPATIBLE=1``) somebody's word that no old reader breaks, because a field was only added or described.
"""

from __future__ import annotations

import json
import os
import sys

from verl_rocm import schemas


def write(name: str, compatible: bool) -> str:
    """Write one schema; what stands in the way, or empty."""
    path, text = schemas.file(name), schemas.text(name)
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text == before:
        return ""
    same = bool(before) and schemas.version(json.loads(before)) == schemas.version(json.loads(text))
    if same and not compatible:
        return (
            f"{path.name}: the model changed and the format is still {schemas.version(json.loads(text))}: raise it, "
            "or COMPATIBLE=1 if fields were only added or described"
        )
    path.write_text(text, encoding="utf-8")
    print(f"make schemas: {path.name}, format {schemas.version(json.loads(text))}")
    return ""


def main() -> int:
    """Write all; 2 if one may not be written."""
    reasons = [write(name, os.environ.get("COMPATIBLE") == "1") for name in schemas.MODELS]
    for reason in filter(None, reasons):
        print(f"make schemas: {reason}", file=sys.stderr)
    return 2 if any(reasons) else 0


if __name__ == "__main__":
    sys.exit(main())
