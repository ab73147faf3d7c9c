#!/usr/bin/env bash
# Put another verl into a running container, and prove that it is the one that a job in
# this folder would import.
#
#   run_in_a_container_verl.sh [RELEASE or CHECKOUT] [REQUIREMENTS]
#   run_in_a_container_verl.sh 0.9.1
#   run_in_a_container_verl.sh ~/src/verl
#   run_in_a_container_verl.sh 0.9.1 run_in_a_container_requirements.txt
#     where the image has no verl yet
set -euo pipefail

# [start:settings]
wanted="${1:-0.9.1}"
requirements="${2:-}"
python="${PYTHON:-python3}"
# [end:settings]

# [start:requirements]
# What the image was built with stays: pip stops rather than swap it.
if [ -n "$requirements" ]; then
    ours="torch|torchvision|torchaudio|triton|vllm|amdsmi|amd-aiter|flash[-_]attn"
    keep="$(mktemp)"
    "$python" -m pip list --format=freeze |
        grep -E "^($ours)==" >"$keep" ||
        {
            echo "run_in_a_container_verl: no torch in $python:" \
                "start from an image that has vLLM" >&2
            exit 2
        }
    "$python" -m pip install --constraint "$keep" --requirement "$requirements"
fi
# [end:requirements]

# [start:install]
# --no-deps: verl alone, nothing that it asks for.
if [ -d "$wanted" ]; then
    "$python" -m pip install --no-deps --editable "$wanted"
else
    "$python" -m pip install --no-deps "verl==$wanted"
fi
# [end:install]

# [start:verify]
# In the folder of the job: `python3 -m` looks there
# first, and a checkout of verl would win.
"$python" - "$wanted" <<'PYTHON'
import importlib.util
import subprocess
import sys
from importlib.metadata import files, version
from pathlib import Path

wanted = Path(sys.argv[1]).resolve() if Path(sys.argv[1]).is_dir() else sys.argv[1]
sys.path.insert(0, "")  # as with python3 -m
found = Path(importlib.util.find_spec("verl").origin).resolve()
if isinstance(wanted, Path):
    right = found.is_relative_to(wanted)
else:
    main = ("verl", "__init__.py")
    own = [file for file in files("verl") or [] if file.parts[-2:] == main]
    installed = [Path(file.locate()).resolve() for file in own]
    right = version("verl") == wanted and found in installed
if not right:
    sys.exit(
        f"a job here would import {found}, verl {version('verl')} is installed: "
        "leave that folder, or remove it"
    )
check = [sys.executable, "-m", "pip", "check"]
lines = subprocess.run(check, capture_output=True, text=True).stdout.splitlines()
lacking = [line for line in lines if line.startswith("verl ")]
print(f"verl {version('verl')} from {found.parent}", *lacking, sep="\n")
sys.exit(1 if lacking else 0)
PYTHON
# [end:verify]
