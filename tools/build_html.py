"""``make html``: the strict build, and Sphinx' doctest builder for ``>>>`` examples.

It is skipped if it passed before on the very same files.  After a build that passed only the pages that changed are
read again; with FULL=1, as CI runs it, and after a build that failed, everything is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCTREES = ROOT / "build" / "doctrees"
STRICT = ["-n", "-W", "--keep-going", "-T"]
# What decides how every page is read or drawn: a change there reads all pages again.
SHARED = ("conf.py", "docs/_extensions", "guide", "verl_rocm", "requirements/docs.lock", "tools/build_html.py")


def digest(root: Path, *under: str) -> str:
    """One hash over everything that git would commit from ``root`` (below ``under``), and the interpreter."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *under]
    listed = subprocess.run(command, capture_output=True, check=True).stdout
    total = hashlib.sha256(sys.version.encode() + sys.prefix.encode())
    for name in sorted(filter(None, listed.split(b"\0"))):
        path = root / name.decode()
        total.update(name + b"\0" + (path.read_bytes() if path.is_file() else b"gone") + b"\0")
    return total.hexdigest()


def commit(root: Path) -> str:
    """The commit, to which the pages link."""
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True)
    return head.stdout.strip()


def build(builder: str, options: list[str]) -> int:
    """Run one builder of Sphinx over the tree; its exit code."""
    command = [sys.executable, "-m", "sphinx", *STRICT, *options, "-d", str(DOCTREES), "-b", builder]
    return subprocess.run([*command, ".", f"build/{builder}"], cwd=ROOT).returncode


def main() -> int:
    """Build; 0 if every builder passed."""
    whole, shared = ROOT / "build" / ".html-stamp", ROOT / "build" / ".html-shared"
    now, common = digest(ROOT) + commit(ROOT), digest(ROOT, *SHARED)
    if whole.is_file() and whole.read_text() == now:
        print("build/html is up to date: nothing changed since the last build, which passed")
        return 0
    passed = whole.is_file() and shared.is_file() and shared.read_text() == common
    full = bool(os.environ.get("FULL")) or not passed
    whole.unlink(missing_ok=True)
    if full:
        shutil.rmtree(DOCTREES, ignore_errors=True)
    # Several readers pay off for all pages; for one page their start costs more than it saves.
    code = build("html", ["-E", "-j", "auto"] if full else []) or build("doctest", ["-q"])
    if code:
        return code
    whole.write_text(now)
    shared.write_text(common)
    return 0


if __name__ == "__main__":
    sys.exit(main())
