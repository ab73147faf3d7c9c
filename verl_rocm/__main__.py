"""``python -m verl_rocm``; standard library only until it is known that the rest can be imported."""

from __future__ import annotations

import importlib.util
import sys

NEEDED = ("packaging", "pydantic", "rich", "typer")


def missing() -> str:
    """What to do where this interpreter cannot run the command; empty where it can."""
    if sys.version_info < (3, 11):
        return f"Python 3.11 or newer is needed, and {sys.executable} is {sys.version.split()[0]}"
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not absent:
        return ""
    return (
        f"{sys.executable} lacks {', '.join(absent)}: take the Python that holds vLLM, which brings them, "
        f"or install them: {sys.executable} -m pip install {' '.join(NEEDED)}"
    )


def main() -> int:
    """Run the command, or say in one line why not."""
    if reason := missing():
        print(f"error: {reason}", file=sys.stderr)
        return 2
    from verl_rocm.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
