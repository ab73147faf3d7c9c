"""Virtual environments built from their locks, once (standard library only).

Two callers: ``verl-rocm engine`` builds below the user's cache, and this project's own ``make`` below ``.venv``.
An interrupted build leaves no stamp and is started again by the next call.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOCKS = Path(__file__).resolve().parent / "locks"
TORCH = "torch==2.13.0+cpu"
# PyTorch's own index of CPU wheels, asked only where the default index has no such wheel.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
DEFAULT_ENGINE = "0.30.0"


class EnvironmentProblem(Exception):
    """An environment that cannot be built; the message is one line that says what to do."""


def site_packages(python: Path) -> Path:
    """The folder of packages of the environment that ``python`` belongs to."""
    return next((python.parent.parent / "lib").glob("python3*")) / "site-packages"


def _stamp(lock: Path) -> str:
    torch = TORCH if lock.stem.startswith("cpu-") else ""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return hashlib.sha256(lock.read_bytes() + torch.encode() + version.encode()).hexdigest()


def unsupported(cpuinfo: Path = Path("/proc/cpuinfo"), machine: str = platform.machine()) -> str:
    """Why this machine cannot run the CPU engine, in one line; empty if it can."""
    works = "`verl-rocm check` works here"
    if machine not in ("x86_64", "AMD64"):
        return f"the CPU engine is built for x86-64 and this machine is {machine}: {works}"
    try:
        flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return ""  # no Linux; pip says what it lacks
    if flags and "avx2" not in flags[1].split():
        return f"this CPU has no AVX2, without which vLLM's CPU engine cannot run: {works}; take another for the rest"
    return ""


class Progress:
    """What pip does, for a reader: how many of the lock's packages are fetched, on one line of a terminal."""

    def __init__(self, total: int) -> None:
        self.total, self.seen, self.shown = total, 0, 0

    def line(self, text: str) -> None:
        """Take a line of pip's output."""
        if match := re.match(r"Collecting ([\w.-]+)", text):
            self.seen += 1
            self._show(f"{min(self.seen, self.total)} of {self.total} packages, {match[1]}")
        elif match := re.match(r"\s+Downloading .*\((.*)\)", text):
            self._show(f"{min(self.seen, self.total)} of {self.total} packages, downloading {match[1]}")
        elif text.startswith("Installing collected packages"):
            self._show(f"installing {self.total} packages", always=True)

    def _show(self, text: str, always: bool = False) -> None:
        if sys.stderr.isatty():
            print(f"\r  {text[:70]:<70}", end="", file=sys.stderr, flush=True)
        elif always or self.seen >= self.shown + max(self.total // 10, 1):
            self.shown = self.seen
            print(f"  {text}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if sys.stderr.isatty():
            print(file=sys.stderr)


def _pip(python: Path, *arguments: str, total: int = 1) -> int:
    """Run pip's install; its errors are shown as they are."""
    command = [str(python), "-m", "pip", "install", "--progress-bar=off", "--disable-pip-version-check", "--no-input"]
    progress = Progress(total)
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=sys.stderr, text=True) as pip:
        assert pip.stdout is not None
        for text in pip.stdout:
            progress.line(text)
    progress.end()
    return pip.returncode


def _install(python: Path, lock: Path) -> None:
    if lock.stem.startswith("cpu-"):
        has_torch = _pip(python, TORCH) == 0 or _pip(python, TORCH, "--index-url", TORCH_CPU_INDEX) == 0
        if not has_torch:
            raise EnvironmentProblem(
                f"{TORCH} is neither in the default index nor in PyTorch's own (see pip's message)"
            )
    pinned = len(re.findall(r"^[\w.-]+==", lock.read_text(encoding="utf-8"), re.MULTILINE))
    # Everything is pinned in the lock, so pip has nothing to resolve: --no-deps keeps the CUDA packages out.
    if _pip(python, "--no-deps", "--require-hashes", "-r", str(lock), total=pinned) != 0:
        raise EnvironmentProblem(f"pip could not install {lock.name} (see its message above); call again")


@dataclass(frozen=True)
class Store:
    """Environments below ``folder``, each from the lock of its name in ``locks``."""

    folder: Path
    locks: Path = LOCKS

    def engines(self, prefix: str = "cpu-") -> list[str]:
        """The vLLM releases that have a lock ``<prefix><release>.lock``, oldest first."""
        names = [path.stem.removeprefix(prefix) for path in self.locks.glob(f"{prefix}*.lock")]
        return sorted(names, key=lambda name: [int(part) for part in name.split(".")])

    def dry_run_releases(self) -> list[str]:
        """The vLLM releases that :meth:`engine` builds, oldest first."""
        names = {DEFAULT_ENGINE, *self.engines("dryrun-")}
        return sorted(names, key=lambda name: [int(part) for part in name.split(".")])

    def built(self, name: str) -> Path | None:
        """The interpreter of environment ``name``; None if it is not built, or from another lock."""
        lock, stamp = self.locks / f"{name}.lock", self.folder / name / ".stamp"
        current = lock.is_file() and stamp.is_file() and stamp.read_text() == _stamp(lock)
        return self.folder / name / "bin" / "python" if current else None

    def ensure(self, name: str) -> Path:
        """The interpreter of environment ``name`` (``docs``, ``cpu-0.30.0``), which is built if its lock is new.

        Raises:
            EnvironmentProblem: it cannot be built.
        """
        lock = self.locks / f"{name}.lock"
        if not lock.is_file():
            raise EnvironmentProblem(f"there is no requirements/{name}.lock")
        if python := self.built(name):
            return python
        with self._locked():
            if python := self.built(name):
                return python
            if name.startswith(("cpu-", "dryrun-")) and (reason := unsupported()):
                raise EnvironmentProblem(reason)
            folder = self.folder / name
            print(f"building {folder} from {lock.name} (once) ...", file=sys.stderr, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            if subprocess.run([sys.executable, "-m", "venv", str(folder)], stdout=sys.stderr).returncode != 0:
                raise EnvironmentProblem(f"{sys.executable} -m venv failed: install your system's python3-venv package")
            python = folder / "bin" / "python"
            _install(python, lock)
            (folder / ".stamp").write_text(_stamp(lock))
        return python

    def engine(self, release: str) -> Path:
        """The Python with vLLM ``release`` and verl for a dry run; built first if needed.

        Releases other than the default are layers over it: an environment that holds only vLLM, and takes everything
        else from the default's.
        """
        base = self.ensure(f"cpu-{DEFAULT_ENGINE}")
        if release == DEFAULT_ENGINE:
            return base
        python = self.ensure(f"dryrun-{release}")
        (site_packages(python) / "base.pth").write_text(f"{site_packages(base)}\n", encoding="utf-8")
        return python

    def built_engine(self, release: str) -> Path | None:
        """The Python of an engine that is there already."""
        base = self.built(f"cpu-{DEFAULT_ENGINE}")
        return base if release == DEFAULT_ENGINE or base is None else self.built(f"dryrun-{release}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time build environments."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = (self.folder / ".lock").open("w")
        except OSError as error:
            raise EnvironmentProblem(f"{self.folder}: {error.strerror}: choose another folder") from None
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
