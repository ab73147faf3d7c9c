"""Small git repositories for tests: a copy of what makes the package, and others to use it on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "verl_rocm",
    "requirements",
    "pyproject.toml",
    "Makefile",
    "README.md",
    ".gitignore",
    "action.yml",
    ".pre-commit-hooks.yaml",
)


def git(folder: Path, *arguments: str) -> None:
    """Run git as somebody."""
    names = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    """Make ``folder`` a repository with one commit of all that is in it."""
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "all")


def copy(folder: Path) -> Path:
    """The package as this working tree has it, in a repository of one commit without tags."""
    folder.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder)
    commit(folder)
    return folder
