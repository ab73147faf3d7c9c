"""This project's virtual environments, built from ``requirements/*.lock`` below ``.venv`` (standard library only).

``python -m tools.environment NAME`` prints the environment's interpreter, building ``.venv/NAME`` first if its lock
changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from verl_rocm.environments import DEFAULT_ENGINE, EnvironmentProblem, Store, site_packages

__all__ = [
    "DEFAULT_ENGINE",
    "REQUIREMENTS",
    "ROOT",
    "STORE",
    "EnvironmentProblem",
    "engines",
    "ensure",
    "site_packages",
]
ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
STORE = Store(ROOT / ".venv", REQUIREMENTS)
engines, ensure = STORE.engines, STORE.ensure


def main() -> int:
    """Print the interpreter of the environment named by the only argument."""
    if sys.version_info < (3, 11):
        print(
            f"Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}: set PYTHON=",
            file=sys.stderr,
        )
        return 2
    try:
        print(ensure(sys.argv[1]))
    except EnvironmentProblem as problem:
        print(f"environment: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
