"""Tests of one value, as a condition of a known issue writes them: ``64``, ``>64``, ``*fp8*``, ``!set``, ``$NAME``."""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

Scalar = bool | int | float | str
COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
WORDS = {"true": "1", "false": "0", "none": "null"}


def same(one: object, other: object) -> bool:
    """Whether two values of a setting mean the same: ``True`` and ``1`` do, as do ``None`` and ``null``."""
    texts = [str(value).strip().lower() for value in (one, other)]
    return WORDS.get(texts[0], texts[0]) == WORDS.get(texts[1], texts[1])


def _is_test(value: Scalar) -> Scalar:
    text = str(value)
    if re.match(r"[<>]=?", text) and not re.fullmatch(r"[<>]=?\d+(\.\d+)?", text):
        raise ValueError(f"{text!r} compares with no number; write it like '>64'")
    return value


# A value that must be equal; a comparison such as ``>64``; a pattern with ``*``, ``|`` between alternatives;
# ``present``, ``absent``, ``set`` (present and not empty), ``empty`` (absent or empty); ``$NAME``: what another
# variable has.  ``!`` before a text negates it.
Test = Annotated[Scalar, AfterValidator(_is_test)]
Tests = Test | tuple[Test, ...]


def _compare(text: str, value: object) -> bool:
    sign = next(sign for sign in COMPARISONS if text.startswith(sign))
    try:
        return bool(COMPARISONS[sign](float(str(value)), float(text.removeprefix(sign))))
    except ValueError:
        return False


def passes(test: Scalar, value: object, environment: Mapping[str, str]) -> bool:
    """Whether a known ``value`` passes; None is a value that is absent."""
    text = str(test)
    if text.startswith("!"):
        return not passes(text[1:], value, environment)
    match text:
        case "present":
            return value is not None
        case "absent":
            return value is None
        case "set":
            return value is not None and bool(str(value).strip())
        case "empty":
            return value is None or not str(value).strip()
    if text.startswith("$"):
        return value == environment.get(text[1:])
    if text.startswith(("<", ">")):
        return value is not None and _compare(text, value)
    if "*" in text or "|" in text:
        patterns = [pattern.lower() for pattern in text.split("|")]
        return value is not None and any(fnmatch.fnmatchcase(str(value).lower(), p) for p in patterns)
    return same("null" if value is None else value, test)
