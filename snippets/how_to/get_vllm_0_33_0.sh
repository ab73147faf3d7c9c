#!/usr/bin/env bash
# vLLM 0.33.0 for ROCm 10: the ROCm SDK and PyTorch into a fresh environment, then the
# build by get_vllm.sh.
#
#   get_vllm_0_33_0.sh [ARCHITECTURE] [ENVIRONMENT]
set -euo pipefail

# [start:build]
arch="${1:-gfx942}"    # one; each further one needs a device-<arch> extra of its own
environment="${2:-vllm-0.33.0-rocm}"

python3.12 -m venv "$environment"
PATH="$(realpath "$environment")/bin:$PATH"    # as its activate does
python3 -m pip install --index-url https://stable.repo.amd.com/rocm/whl-next/ \
    "rocm[libraries,devel,device-$arch]==10.0.0" \
    "torch[device-$arch]==2.12.0+rocm10.0.0" \
    "torchvision[device-$arch]==0.27.0+rocm10.0.0"

# The SDK is the ROCm that the build uses.
rocm-sdk init
ROCM_PATH="$(rocm-sdk path --root)"
export ROCM_PATH HIP_PATH="$ROCM_PATH"
PATH="$(rocm-sdk path --bin):$PATH"

# AMD SMI comes with it as source, and finds its library from there.
sdk="$(python3 -c 'import _rocm_sdk_core as core; print(core.__path__[0])')"
smi="$sdk/share/amd_smi"
python3 -m pip install "$smi"
export PYTHONPATH="$smi"

bash "$(dirname "$0")/get_vllm.sh" 0.33.0 "$arch"
# [end:build]
