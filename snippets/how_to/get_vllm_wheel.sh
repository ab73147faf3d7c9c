#!/usr/bin/env bash
# Install vLLM's own ROCm wheel, which brings its PyTorch along, and see that it is not
# the CUDA wheel.
#
#   get_vllm_wheel.sh [RELEASE] [VARIANT]
#   get_vllm_wheel.sh 0.24.0 rocm723
set -euo pipefail

# [start:check]
release="${1:-0.24.0}"    # the one that verl 0.9.1 pins
variant="${2:-rocm723}"
python="${PYTHON:-python3}"

stop() {
    echo "get_vllm_wheel: $*" >&2
    exit 2
}
number='import sys; print("%d.%d" % sys.version_info[:2])'
version="$("$python" -c "$number" 2>/dev/null)" ||
    stop "there is no Python at $python: set PYTHON"
[ "$version" = 3.12 ] ||
    stop "$python is $version, and the wheels are for 3.12;" \
        "any other gets the CUDA wheel: uv venv --python 3.12 --seed"
glibc="$(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)"
[ "$(printf '%s\n' 2.35 "$glibc" | sort -V | head -n 1)" = 2.35 ] ||
    stop "glibc is $glibc, the wheels need 2.35 (Ubuntu 22.04," \
        "Debian 12) or newer: use the image"
command -v uv >/dev/null ||
    stop "uv is missing: $python -m pip install uv"
# [end:check]

# [start:install]
uv pip install --python "$python" "vllm==$release+$variant" \
    --extra-index-url "https://wheels.vllm.ai/rocm/$release/$variant"
# [end:install]

# [start:which]
"$python" - <<'PYTHON'
import sys
from importlib.metadata import version

import torch

print("vllm", version("vllm"), "torch", torch.__version__, "HIP", torch.version.hip)
if "rocm" not in version("vllm") or not torch.version.hip:
    sys.exit(
        "this is not vLLM for ROCm: remove vllm and torch, "
        "then install with the +rocm version in Python 3.12"
    )
PYTHON
# [end:which]
