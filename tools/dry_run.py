"""``make dry-run``: ``verl-rocm dry-run`` with the vLLM release that ``VLLM`` names, in an environment built here.

vLLM 0.30.0 is that of ``make doctest``.  The other releases are layers over it: an environment that holds only vLLM,
and takes everything else from ``cpu-0.30.0``.  ``VLLM`` may name several releases, for ``--compare vllm=...``.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tools.environment import DEFAULT_ENGINE, ROOT, EnvironmentProblem, engines, ensure, site_packages


def releases() -> list[str]:
    """vLLM releases that can be dry-run."""
    return sorted([DEFAULT_ENGINE, *engines("dryrun-")], key=lambda name: [int(part) for part in name.split(".")])


def interpreter(release: str) -> Path:
    """The Python of one release; built first if needed."""
    base = ensure(f"cpu-{DEFAULT_ENGINE}")
    if release == DEFAULT_ENGINE:
        return base
    python = ensure(f"dryrun-{release}")
    (site_packages(python) / "base.pth").write_text(f"{site_packages(base)}\n", encoding="utf-8")
    return python


def main() -> int:
    """Run the command with ``ARGS``."""
    items = [name.strip() for name in (os.environ.get("VLLM") or DEFAULT_ENGINE).split(",") if name.strip()]
    unknown = [name for name in items if name not in releases()]
    if unknown:
        print(f"make dry-run: VLLM={unknown[0]} is not supported: use {', '.join(releases())}", file=sys.stderr)
        return 2
    try:
        entries = {name: str(interpreter(name)) for name in items}
        arguments = shlex.split(os.environ.get("ARGS") or "--help")
    except (EnvironmentProblem, ValueError) as problem:
        print(f"make dry-run: {problem}", file=sys.stderr)
        return 2
    engines = ",".join(f"{name}={python}" for name, python in entries.items())
    environ = os.environ | {"VERL_ROCM_ENGINES": engines, "PYTHONPATH": str(ROOT)}
    chosen = [] if "--vllm" in arguments else ["--vllm", items[0]]
    # Release 0.30.0 runs the command itself; the others only resolve.
    command = [str(ensure(f"cpu-{DEFAULT_ENGINE}")), "-m", "verl_rocm", "dry-run", *chosen, *arguments]
    return subprocess.run(command, env=environ).returncode


if __name__ == "__main__":
    sys.exit(main())
