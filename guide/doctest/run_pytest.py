"""Run pytest with the interpreter that runs this file, with test tools beside it if it lacks them.

The tools come last on the path, so that they never replace a package of the interpreter.  Everything that the tests and
their processes put into the temporary folder goes into one of this run, which goes with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BAD_INPUT, FAILED = 2, 1


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that this process and its children take for the system's; its name is short, as sockets lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="g-"))
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = None
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Exit code: 0 all passed, 1 something failed or nothing ran, 2 bad input, 130 interrupted."""
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    if tools := os.environ.pop("GUIDE_TEST_TOOLS", ""):
        sys.path.append(tools)
    # A shell starts what runs in the background with SIGINT ignored, and then nothing could end this run in order.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A plain SIGTERM would skip every `finally`, and leave the processes of an engine behind.
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    import pytest

    with temporary_folder():
        code = int(pytest.main(sys.argv[1:]))
    return {2: 130, 4: BAD_INPUT, 5: FAILED}.get(code, code)


if __name__ == "__main__":
    sys.exit(main())
