"""Build the project's virtual environments from their locks, once (standard library only).

``python -m tools.environment NAME`` prints the environment's interpreter, building ``.venv/NAME`` first if its lock
changed.  An interrupted build leaves no stamp and is started again by the next call.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
TORCH = "torch==2.13.0+cpu"
# PyTorch's own index of CPU wheels, asked only where the default index has no such wheel.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
DEFAULT_ENGINE = "0.30.0"


class EnvironmentProblem(Exception):
    """An environment that cannot be built; the message is one line that says what to do."""


def engines(prefix: str = "cpu-") -> list[str]:
    """The vLLM releases that have a lock ``<prefix><release>.lock``, oldest first."""
    names = [path.stem.removeprefix(prefix) for path in REQUIREMENTS.glob(f"{prefix}*.lock")]
    return sorted(names, key=lambda name: [int(part) for part in name.split(".")])


def site_packages(python: Path) -> Path:
    """The folder of packages of the environment that ``python`` belongs to."""
    return next((python.parent.parent / "lib").glob("python3*")) / "site-packages"


def _stamp(lock: Path) -> str:
    torch = TORCH if lock.stem.startswith("cpu-") else ""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return hashlib.sha256(lock.read_bytes() + torch.encode() + version.encode()).hexdigest()


@contextmanager
def _locked() -> Iterator[None]:
    """Let one process at a time build environments."""
    (ROOT / ".venv").mkdir(exist_ok=True)
    with (ROOT / ".venv" / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def unsupported(cpuinfo: Path = Path("/proc/cpuinfo"), machine: str = platform.machine()) -> str:
    """Why this machine cannot run the CPU engine, in one line; empty if it can."""
    works = "`make test`, `make html` and `verl-rocm check` work here"
    if machine not in ("x86_64", "AMD64"):
        return f"the CPU engine is built for x86-64 and this machine is {machine}: {works}"
    try:
        flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return ""  # no Linux; pip says what it lacks
    if flags and "avx2" not in flags[1].split():
        return f"this CPU has no AVX2, without which vLLM's CPU engine cannot run: {works}; take another for the rest"
    return ""


class _Progress:
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
    progress = _Progress(total)
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
        raise EnvironmentProblem(f"pip could not install {lock.relative_to(ROOT)} (see its message above); call again")


def ensure(name: str) -> Path:
    """The interpreter of environment ``name`` (``docs``, ``cpu-0.30.0``), which is built if its lock is new."""
    lock = REQUIREMENTS / f"{name}.lock"
    if not lock.is_file():
        raise EnvironmentProblem(f"there is no requirements/{name}.lock")
    folder = ROOT / ".venv" / name
    python, stamp = folder / "bin" / "python", folder / ".stamp"
    if stamp.is_file() and stamp.read_text() == _stamp(lock):
        return python
    with _locked():
        if stamp.is_file() and stamp.read_text() == _stamp(lock):
            return python
        if lock.stem.startswith(("cpu-", "dryrun-")) and (reason := unsupported()):
            raise EnvironmentProblem(reason)
        print(f"building .venv/{name} from requirements/{name}.lock (once) ...", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        if subprocess.run([sys.executable, "-m", "venv", str(folder)], stdout=sys.stderr).returncode != 0:
            raise EnvironmentProblem(f"{sys.executable} -m venv failed: install your system's python3-venv package")
        _install(python, lock)
        stamp.write_text(_stamp(lock))
    return python


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
