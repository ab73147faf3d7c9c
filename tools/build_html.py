"""``make html``: the strict build, and Sphinx' doctest builder for ``>>>`` examples.

The build always starts from nothing (``-E``).  It is skipped only if it passed before on the very same files.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STRICT = ["-n", "-W", "--keep-going", "-T", "-j", "auto"]
# The second builder takes the pages as the first one has just read them.
BUILDERS = {"html": ["-E"], "doctest": ["-q"]}


def digest(root: Path) -> str:
    """One hash over everything that git would commit from ``root``, its commit, and the interpreter."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True).stdout
    total = hashlib.sha256(head + sys.version.encode() + sys.prefix.encode())
    for name in sorted(filter(None, listed.split(b"\0"))):
        path = root / name.decode()
        total.update(name + b"\0" + (path.read_bytes() if path.is_file() else b"gone") + b"\0")
    return total.hexdigest()


def main() -> int:
    """Build; 0 if every builder passed."""
    stamp = ROOT / "build" / ".html-stamp"
    now = digest(ROOT)
    if stamp.is_file() and stamp.read_text() == now:
        print("build/html is up to date: nothing changed since the last build, which passed")
        return 0
    stamp.unlink(missing_ok=True)
    for builder, options in BUILDERS.items():
        command = [sys.executable, "-m", "sphinx", *STRICT, *options, "-d", "build/doctrees", "-b", builder]
        command += [".", f"build/{builder}"]
        if code := subprocess.run(command, cwd=ROOT).returncode:
            return code
    stamp.write_text(now)
    return 0


if __name__ == "__main__":
    sys.exit(main())
