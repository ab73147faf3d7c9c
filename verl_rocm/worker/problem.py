"""What stops a dry run on its way, as an exception."""

from __future__ import annotations

import re

from .wire import Kind, Problem, Stage


class Refused(Exception):
    """Input that verl or vLLM refuses, or that cannot be dry-run."""

    def __init__(
        self,
        stage: Stage,
        message: str,
        hint: str = "",
        kind: Kind = Kind.VERL,
        *,
        key: str | None = None,
        nearest: str | None = None,
        file: str | None = None,
        model: str | None = None,
    ) -> None:
        super().__init__(message)
        text = " ".join(message.split())
        text = re.sub(r"(\s*\[type=[^\]]*\])?\s*For further information visit.*", "", text)
        self.problem = Problem(
            kind=kind, stage=stage, message=text, hint=hint, key=key, nearest=nearest, file=file, model=model
        )


def first_line(error: BaseException) -> str:
    """What an exception says, on one line; its type where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if type(error).__name__ == "ValidationError":  # pydantic: title, fields, messages, a link
        messages = [line for line in lines if "[type=" in line] or lines
        if messages[0].startswith("Input should"):  # pydantic's own words, which leave out what the input is of
            messages[0] = f"{lines[lines.index(messages[0]) - 1]}: {messages[0]}"
        return messages[0].removeprefix("Value error, ").removeprefix("Assertion failed, ").split(" [type=")[0]
    if type(error).__name__ == "InstantiationException" and len(lines) > 1:  # Hydra: target, what it raised, key
        raised = re.match(r"\w+\((['\"])(.*)\1\)$", lines[1])
        return raised[2] if raised else lines[1]
    if not lines:
        return type(error).__name__
    return " ".join(lines[:2]) if len(lines[0]) < 60 else lines[0]
