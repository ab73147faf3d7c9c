"""What all records share: closed models, and a file that is written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue


class Model(BaseModel):
    """A part of a record: closed, so that a misspelt field is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def write_json(path: Path, content: JsonValue, sort_keys: bool) -> None:
    """Write ``content`` atomically: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, sort_keys=sort_keys, ensure_ascii=False) + "\n"
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".record-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
