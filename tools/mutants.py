"""``make mutants``: do the tests of the blocks notice a wrong snippet?

Each entry of ``tests/support/mutations.toml`` replaces a piece of a snippet in a copy of the project, where
``make doctest ONLY=<its test>`` on the CPU must then fail.
Exit codes: 0 every mutant was noticed, 1 one was not, 2 a stale entry.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tools.environment import ROOT

COPIED = ("docs/_extensions", "requirements", "snippets", "guide", "tests", "tools", "verl_rocm", "pyproject.toml")


def copy_with(mutation: dict[str, str] | None, target: Path) -> None:
    """Copy the project to ``target`` with one replacement; :class:`ValueError` if its text is not there once."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    (target / ".venv").symlink_to(ROOT / ".venv")
    if mutation is None:
        return
    path = target / "snippets" / mutation["file"]
    text = path.read_text(encoding="utf-8")
    if text.count(mutation["old"]) != 1:
        raise ValueError(f"snippets/{mutation['file']} holds {mutation['old']!r} {text.count(mutation['old'])} times")
    path.write_text(text.replace(mutation["old"], mutation["new"]), encoding="utf-8")


def doctest(mutation: dict[str, str] | None, only: str) -> subprocess.CompletedProcess[str]:
    """``make doctest ONLY=only`` on the CPU in a copy of the project with ``mutation``."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy_with(mutation, Path(folder))
        environ = {**os.environ, "ACCELERATOR": "cpu", "ONLY": only, "MODEL": "", "VLLM": ""}
        command = [sys.executable, "-m", "tools.run_doctest"]
        return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)


def main() -> int:
    """Run every mutant, after a control without one for each test file; ONLY= picks those whose file contains it."""
    with (ROOT / "tests/support/mutations.toml").open("rb") as stream:
        mutations = tomllib.load(stream)["mutation"]
    mutations = [mutation for mutation in mutations if os.environ.get("ONLY", "") in mutation["file"]]
    wrong = 0
    for file in dict.fromkeys(mutation["file"] for mutation in mutations):
        passes = doctest(None, file).returncode == 0
        wrong += not passes
        print(
            f"{'control' if passes else 'BROKEN '}  {file}: unchanged, {'it passes' if passes else 'it fails'}",
            flush=True,
        )
    for mutation in mutations:
        try:
            result = doctest(mutation, mutation["test"].split("::")[1])
        except ValueError as error:
            print(f"make mutants: a stale entry: {error}", file=sys.stderr)
            return 2
        noticed = result.returncode == 1
        wrong += not noticed
        print(f"{'noticed' if noticed else 'MISSED '}  {mutation['file']}: {mutation['why']}", flush=True)
        if result.returncode not in (0, 1):
            print(result.stdout[-2000:] + result.stderr[-2000:], file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
