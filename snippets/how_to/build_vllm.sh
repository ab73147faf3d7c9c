#!/usr/bin/env bash
# Build vLLM for ROCm from source and install it beside the ROCm PyTorch that is already there.
#
#   build_vllm.sh [TAG] [ARCHITECTURES] [SOURCE DIRECTORY]
#   build_vllm.sh v0.24.0 "gfx942;gfx950" ~/src/vllm
set -euo pipefail

# [start:settings]
tag="${1:-v0.24.0}"    # the release that verl 0.9.1 pins
arch="${2:-gfx942}"    # gfx942: MI300X, MI325X; gfx950: MI350X, MI355X
source_dir="${3:-vllm}"
python="${PYTHON:-python3}"

export ROCM_PATH="${ROCM_PATH:-/opt/rocm}"
export PYTORCH_ROCM_ARCH="$arch"    # several: "gfx942;gfx950"
export VLLM_TARGET_DEVICE=rocm
export MAX_JOBS="${MAX_JOBS:-$(nproc)}"    # compilers at once
# [end:settings]

# [start:check]
stop() {
    echo "build_vllm: $1" >&2
    exit 2
}
try() {
    "$python" -c "$1" 2>/dev/null
}

[ -d "$ROCM_PATH" ] ||
    stop "no ROCm at ROCM_PATH=$ROCM_PATH: install ROCm, or set ROCM_PATH"
try 'import torch' ||
    stop "$python cannot import torch: install PyTorch for ROCm first"
try 'import sys, torch; sys.exit(not torch.version.hip)' ||
    stop "the torch of $python is no ROCm build: install PyTorch for ROCm first"
try 'import torchvision' ||
    stop "$python cannot import torchvision: install the one that fits its torch"
try 'import setuptools as s; exit(int(s.__version__.split(".")[0]) >= 80)' ||
    stop "no setuptools, or a too new one: pip install 'setuptools>=77.0.3,<80'"
# [end:check]

# [start:fetch]
[ -d "$source_dir" ] || git clone --depth 1 --branch "$tag" \
    https://github.com/vllm-project/vllm.git "$source_dir"
cd "$source_dir"
git checkout --quiet "$tag"
# [end:fetch]

# [start:build]
# pip must stop rather than swap the ROCm torch for another one.
keep="$(mktemp)"
"$python" -m pip list --format=freeze |
    grep -E '^(torch|torchvision|torchaudio|(pytorch-)?triton(-rocm)?)==' >"$keep"
"$python" -m pip install --constraint "$keep" \
    -r requirements/rocm.txt 'cmake>=3.26.1,<4'
try 'import amdsmi' || "$python" -m pip install "$ROCM_PATH/share/amd_smi"

rm -rf dist
"$python" setup.py bdist_wheel --dist-dir=dist
"$python" -m pip install --no-deps --force-reinstall dist/vllm-*.whl
# [end:build]

# [start:verify]
cd /    # away from the source tree: import what is installed
"$python" - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
import vllm.cumem_allocator  # the allocator behind sleep mode, built for HIP

print("vllm", version("vllm"), "torch", torch.__version__, "HIP", torch.version.hip)
sys.exit(None if torch.version.hip else "torch is no ROCm build any more")
PYTHON
# [end:verify]
