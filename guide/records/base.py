"""What all records share: closed models, one clear error, and files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

M = TypeVar("M", bound=BaseModel)


class RecordError(ValueError):
    """A record that cannot be read; the message names the file, what is wrong and what to do."""


class Model(BaseModel):
    """A part of a record: closed, so that a misspelt field is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read(model: type[M], path: Path, kind: str, remedy: str) -> M:
    """The record in ``path``.

    Raises:
        RecordError: the file holds no ``model``; the message is "<file> is <kind> (<why>): <remedy>".
    """
    try:
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, ValueError) as error:
        raise RecordError(f"{path.name} is {kind} ({str(error).splitlines()[0]}): {remedy}") from None


def write_text(path: Path, text: str) -> None:
    """Write ``text`` atomically: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
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


def write_json(path: Path, content: JsonValue, sort_keys: bool) -> None:
    """Write ``content`` as JSON, as :func:`write_text` does."""
    write_text(path, json.dumps(content, indent=1, sort_keys=sort_keys, ensure_ascii=False) + "\n")
