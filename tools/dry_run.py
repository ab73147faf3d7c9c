"""``make dry-run``: ``verl-rocm dry-run`` with the vLLM release that ``VLLM`` names, in an environment built here.

vLLM 0.30.0 is that of ``make doctest``.  ``VLLM`` may name several releases, for ``--compare vllm=...``.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from tools.environment import DEFAULT_ENGINE, ROOT, STORE, EnvironmentProblem, ensure


def main() -> int:
    """Run the command with ``ARGS``."""
    items = [name.strip() for name in (os.environ.get("VLLM") or DEFAULT_ENGINE).split(",") if name.strip()]
    unknown = [name for name in items if name not in STORE.dry_run_releases()]
    if unknown:
        print(
            f"make dry-run: VLLM={unknown[0]} is not supported: use {', '.join(STORE.dry_run_releases())}",
            file=sys.stderr,
        )
        return 2
    try:
        entries = {name: str(STORE.engine(name)) for name in items}
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
