"""Stages of a dry run: what each refuses is kept, and what vLLM and verl warn about meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from .problem import Refused
from .wire import Problem, Refusal

T = TypeVar("T")


class _Warnings(logging.Handler):
    """Keeps what vLLM and verl warn about while they resolve."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        if text not in self.lines:
            self.lines.append(text)


@contextmanager
def heard() -> Iterator[list[str]]:
    """The warnings of vLLM and verl inside the block."""
    handler = _Warnings()
    loggers = [logging.getLogger(name) for name in ("vllm", "verl")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield handler.lines
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


class Stages:
    """Runs stages and keeps what each refuses, so that a user sees all of it at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)

    def run(self, stage: Callable[[], T]) -> T | None:
        """The stage's value; None where it refused, or cannot work because an earlier one did."""
        try:
            return stage()
        except Refused as refused:
            self.problems.append(refused.problem)
        except Exception:
            if not self.problems:
                raise
        return None

    def refusal(self) -> Refusal:
        """All that was refused."""
        return Refusal(problems=tuple(dict.fromkeys(self.problems)))
