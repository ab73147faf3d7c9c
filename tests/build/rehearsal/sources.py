"""The pinned source archives of vLLM, fetched once and kept under ``build/rehearsal``."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tools.contracts.download import BACKEND
from tools.environment import REQUIREMENTS, ROOT

CACHE = ROOT / "build" / "rehearsal"
PIN = re.compile(r"^vllm==(\S+) --hash=sha256:([0-9a-f]{64})$", re.M)


class Missing(Exception):
    """Something that a rehearsal needs is not on this machine and cannot be fetched; one line that says what."""


def pins(path: Path = REQUIREMENTS / "vllm-sources.txt") -> dict[str, str]:
    """Release -> sha256 of its source archive, oldest release first."""
    return dict(PIN.findall(path.read_text(encoding="utf-8")))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def archive(release: str, cache: Path = CACHE) -> Path:
    """The source archive of a release, fetched if it is not there yet or is not what the pin says.

    Raises:
        Missing: pip could not fetch it, or what it fetched has another sha256.
    """
    path = cache / f"vllm-{release}.tar.gz"
    if path.is_file() and _sha256(path) == pins()[release]:
        return path
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        # The backend answers pip's question for metadata from PKG-INFO; vLLM's own would want PyTorch.
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--no-build-isolation",
                "--no-cache-dir",
                "--disable-pip-version-check",
                "--no-binary",
                ":all:",
                "--dest",
                folder,
                f"vllm=={release}",
            ],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(BACKEND)},
        )
        if done.returncode:
            message = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise Missing(f"the source of vLLM {release} cannot be fetched: {message}")
        download = Path(folder) / path.name
        if (sha256 := _sha256(download)) != pins()[release]:
            raise Missing(f"the source of vLLM {release} has the sha256 {sha256}, which is not the pinned one")
        download.replace(path)
    return path


def tree(release: str, cache: Path = CACHE) -> Path:
    """The unpacked source of a release, for reading only."""
    target = cache / f"vllm-{release}"
    if not target.is_dir():
        source = archive(release, cache)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            with tarfile.open(source) as tar:
                tar.extractall(folder, filter="data")
            (Path(folder) / target.name).rename(target)
    return target


def copy(release: str, into: Path) -> Path:
    """A copy of what the build of a release needs, which it may write to."""
    source = tree(release)

    def ignored(folder: str, names: list[str]) -> set[str]:
        return {"benchmarks", "docs", "examples", "tests"} & set(names) if Path(folder) == source else set()

    return Path(shutil.copytree(source, into / source.name, symlinks=True, ignore=ignored))
