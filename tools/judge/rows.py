"""Lines of public figures, read strictly."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

Row = TypeVar("Row", bound=BaseModel)


class BadRows(Exception):
    """One line: which file, which line, what is wrong."""


def read(file: Path, model: type[Row]) -> list[Row]:
    """The rows of a file, one JSON object a line; none if there is no such file.

    Raises:
        BadRows: the file cannot be read, or a line of it is no row.
    """
    rows = []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise BadRows(f"{file}: cannot be read ({type(error).__name__}): name a folder of rows, ROWS=DIR") from None
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(model.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise BadRows(f"{file}:{number}: {where + ': ' if where else ''}{first['msg']}; correct the line") from None
    return rows


def half(number: int) -> str:
    """``odd`` or ``even``, of a line counted from 1: a calibration may be fitted on odd lines, even ones judge it."""
    return "odd" if number % 2 else "even"
