"""What stops a dry run, as one line."""

from __future__ import annotations

import re


class Problem(Exception):
    """Input that verl or vLLM refuses, or that cannot be dry-run.

    ``stage`` says who refused: ``compose``, ``model``, ``verl``, ``vllm``, ``devices``, ``scope``.
    ``kind`` names the class of failure for the survey; ``hint`` says what to do.
    """

    def __init__(self, stage: str, message: str, hint: str = "", kind: str = "refused") -> None:
        super().__init__(message)
        self.stage, self.hint, self.kind = stage, hint, kind
        text = " ".join(message.split())
        self.message = re.sub(r"(\s*\[type=[^\]]*\])?\s*For further information visit.*", "", text)

    def as_dict(self) -> dict[str, str]:
        """For the JSON report."""
        return {"stage": self.stage, "kind": self.kind, "message": self.message, "hint": self.hint}


def first_line(error: BaseException) -> str:
    """What an exception says, on one line; its type where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if type(error).__name__ == "ValidationError":  # pydantic: title, fields, messages, a link
        told = [line for line in lines if "[type=" in line] or lines
        return told[0].removeprefix("Value error, ").removeprefix("Assertion failed, ").split(" [type=")[0]
    if type(error).__name__ == "InstantiationException" and len(lines) > 1:  # Hydra: target, what it raised, key
        said = re.match(r"\w+\((['\"])(.*)\1\)$", lines[1])
        return said[2] if said else lines[1]
    if not lines:
        return type(error).__name__
    return " ".join(lines[:2]) if len(lines[0]) < 60 else lines[0]
