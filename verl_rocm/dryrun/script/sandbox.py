"""Run a command that can neither write outside a scratch folder nor reach a network, as a normal user.

Two ways, tried in this order:

``namespaces``
    Private user, mount, process and network namespaces (``unshare``).  The whole file system is read-only; what is
    written below the working folder, the home folder and ``/tmp`` goes to memory and is forgotten (for others than
    root only where no other file system is mounted below that folder); ``/run`` is empty.
``landlock``
    For systems that refuse such namespaces to users: the kernel refuses every write, and TCP from kernel 6.7 on.

``python sandbox.py WAY SCRATCH COMMAND...`` is the inner half, which runs inside ``unshare``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

# Root needs no user namespace; nobody else can do without.
UNSHARE = (("-mnpf", "--kill-child"), ("-Urmnpf", "--kill-child"))
MEMORY = "64m"
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC = 1, 32, 4096, 16384
KEPT = {"nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024, "nodiratime": 2048, "relatime": 1 << 21}
# Landlock: x86-64 and arm64 share these numbers.  All rights to write, to make and to remove; not to read or execute.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF, NO_NEW_PRIVILEGES, O_PATH = 444, 445, 446, 38, 0x200000
WRITE_FILE, TO_MAKE, REFER, TRUNCATE, TCP, SCOPE = 1 << 1, 0x1FF0, 1 << 13, 1 << 14, 3, 3

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """``mount(2)``."""
    names = [text.encode() if text else None for text in (source, target, kind)]
    _checked(_libc.mount(*names, ctypes.c_ulong(flags), data.encode() or None), f"mount {target}")


def _mounts() -> list[tuple[str, int]]:
    """Mount points with the flags that must be given again when one is mounted read-only."""
    mounts = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        fields = line.split(" ")
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        mounts.append((point, sum(KEPT.get(name, 0) for name in fields[5].split(","))))
    return mounts


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def copied() -> list[str]:
    """Folders whose changes go to memory: home, /tmp and the working folder; those inside another are left out."""
    chosen: list[str] = []
    for folder in sorted({os.path.realpath(name) for name in (os.environ.get("HOME", "/"), "/tmp", ".")}):
        plain = folder != "/" and Path(folder).is_dir() and not set(folder) & set(":,\\")
        if plain and not any(_below(folder, other) for other in chosen):
            chosen.append(folder)
    return chosen


def _read_only(scratch: str, mounts: list[tuple[str, int]]) -> None:
    for point, flags in mounts:
        if point == scratch or _below(point, "/proc") or _below(point, "/sys"):
            continue
        try:
            _mount("", point, "", MS_REMOUNT | MS_BIND | MS_RDONLY | flags)
        except OSError:
            if os.access(point, os.W_OK):
                raise


def _copy_on_write(folder: str, layer: Path, points: list[str]) -> None:
    """Lay memory over ``folder``; what is mounted at the ``points`` below it, with all below that, is mounted again."""
    outer = [point for point in points if not any(_below(point, other) and point != other for other in points)]
    kept = [(point, os.open(point, O_PATH)) for point in outer if Path(point).is_dir()]
    upper, work = layer / "upper", layer / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    with contextlib.suppress(OSError):  # it stays read-only: without root, where something is mounted below it
        _mount("overlay", folder, "overlay", 0, f"lowerdir={folder},upperdir={upper},workdir={work}")
        for point, number in kept:
            _mount(f"/proc/self/fd/{number}", point, "", MS_BIND | MS_REC)
    for _, number in kept:
        os.close(number)


def enter_namespaces(scratch: str) -> None:
    """Inside fresh namespaces: everything read-only but ``scratch``, and changes elsewhere kept in memory.

    Raises:
        OSError: the kernel refuses a step.
    """
    working = str(Path.cwd())
    _mount(scratch, scratch, "", MS_BIND)
    mounts = _mounts()
    _read_only(scratch, mounts)
    layers = Path(scratch) / "layers"
    layers.mkdir(exist_ok=True)
    _mount("tmpfs", str(layers), "tmpfs", 0, f"size={MEMORY},mode=700")
    points = list(dict.fromkeys(point for point, _ in mounts))
    for number, folder in enumerate(copied()):
        inside = [point for point in points if _below(point, folder) and point != folder]
        _copy_on_write(folder, layers / str(number), inside)
    for point in ("/run", "/var/run"):
        if Path(point).is_dir() and not Path(point).is_symlink():
            _mount("tmpfs", point, "tmpfs", 0, "size=1m")
    os.chdir(working)  # the folder that is seen now, not the one below it
    with contextlib.suppress(OSError):  # a container may keep its own; process ids then read wrong, and no more
        _mount("proc", "/proc", "proc", 0)


def enter_landlock(scratch: str) -> None:
    """Refuse this process and its children every write outside ``scratch``, and TCP where the kernel can.

    Raises:
        OSError: the kernel has no Landlock.
    """
    version = _checked(_libc.syscall(CREATE_RULESET, None, 0, 1), "Landlock")
    rights = WRITE_FILE | TO_MAKE | (REFER if version > 1 else 0) | (TRUNCATE if version > 2 else 0)
    attributes = (ctypes.c_uint64 * 3)(rights, TCP if version > 3 else 0, SCOPE if version > 5 else 0)
    size = 24 if version > 5 else 16 if version > 3 else 8
    ruleset = _checked(_libc.syscall(CREATE_RULESET, attributes, size, 0), "Landlock")
    for path, allowed in ((scratch, rights), ("/dev/null", rights & (WRITE_FILE | TRUNCATE))):
        folder = os.open(path, O_PATH)
        rule = allowed.to_bytes(8, sys.byteorder) + folder.to_bytes(4, sys.byteorder)
        _checked(_libc.syscall(ADD_RULE, ruleset, 1, rule, 0), "Landlock")
        os.close(folder)
    _checked(_libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    _checked(_libc.syscall(RESTRICT_SELF, ruleset, 0), "Landlock")


WAYS = {"namespaces": enter_namespaces, "landlock": enter_landlock}


def prefix(way: str, options: tuple[str, ...], scratch: Path) -> list[str]:
    """What to put before a command to run it that way, with ``scratch`` as the one folder that it can write to."""
    inner = [sys.executable, "-I", str(Path(__file__).resolve()), way, str(scratch.resolve())]
    return [str(shutil.which("unshare")), *options, *inner] if options else inner


@lru_cache(maxsize=1)
def ways() -> dict[str, tuple[str, ...]]:
    """The ways that work on this system, best first, each with its options of ``unshare``; each was tried just now."""
    working: dict[str, tuple[str, ...]] = {}
    candidates = [("namespaces", options) for options in UNSHARE] if shutil.which("unshare") else []
    for way, options in [*candidates, ("landlock", ())]:
        if way in working:
            continue
        with tempfile.TemporaryDirectory(prefix="verl-rocm-try-") as name:
            scratch, outside = Path(name) / "in", Path(name) / "out"
            scratch.mkdir()
            act = f"echo >{scratch}/seen; (echo >/{outside}) 2>/dev/null; :"
            done = subprocess.run([*prefix(way, options, scratch), "sh", "-c", act], capture_output=True, cwd="/")
            if done.returncode == 0 and (scratch / "seen").is_file() and not outside.exists():
                working[way] = options
    return working


def main(arguments: list[str]) -> int:
    """Enter, then become the command; 125 if the kernel refuses."""
    way, scratch, *command = arguments
    try:
        WAYS[way](scratch)
    except OSError as error:
        print(f"sandbox: {error.strerror}", file=sys.stderr)
        return 125
    os.execvp(command[0], command)
    raise AssertionError("execvp does not return")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
