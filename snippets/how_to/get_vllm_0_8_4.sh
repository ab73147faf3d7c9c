#!/usr/bin/env bash
# vLLM 0.8.4 for ROCm 6.2: PyTorch into a fresh environment, then the build by
# get_vllm.sh beside this file.
#
#   get_vllm_0_8_4.sh [ARCHITECTURES] [ENVIRONMENT]
set -euo pipefail

# [start:build]
arch="${1:-gfx942}"
environment="${2:-vllm-0.8.4-rocm}"

python3 -m venv "$environment"    # Python 3.9 to 3.12
PATH="$(realpath "$environment")/bin:$PATH"    # as its activate does
python3 -m pip install --index-url https://download.pytorch.org/whl/rocm6.2.4 \
    torch==2.6.0 torchvision==0.21.0 torchaudio==2.6.0
bash "$(dirname "$0")/get_vllm.sh" 0.8.4 "$arch"
# [end:build]
