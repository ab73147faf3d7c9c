"""Run pytest with the interpreter that runs this file, with test tools beside it if it lacks them.

The tools come last on the path, so that they never replace a package of the interpreter.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

BAD_INPUT, FAILED = 2, 1


def main() -> int:
    """Exit code: 0 all passed, 1 something failed or nothing ran, 2 bad input, 130 interrupted."""
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    if tools := os.environ.pop("GUIDE_TEST_TOOLS", ""):
        sys.path.append(tools)
    # A plain SIGTERM would skip every `finally`, and leave the processes of an engine behind.
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    import pytest

    code = int(pytest.main(sys.argv[1:]))
    return {2: 130, 4: BAD_INPUT, 5: FAILED}.get(code, code)


if __name__ == "__main__":
    sys.exit(main())
