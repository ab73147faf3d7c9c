#!/usr/bin/env bash
# vLLM 0.24.0 for ROCm 7.1: PyTorch into a fresh environment, then the build by
# get_vllm.sh beside this file.
#
#   get_vllm_0_24_0.sh [ARCHITECTURES] [ENVIRONMENT]
set -euo pipefail

# [start:build]
arch="${1:-gfx942}"
environment="${2:-vllm-0.24.0-rocm}"

python3 -m venv "$environment"    # Python 3.10 to 3.14
PATH="$(realpath "$environment")/bin:$PATH"    # as its activate does
python3 -m pip install --index-url https://download.pytorch.org/whl/rocm7.1 \
    torch==2.11.0 torchvision==0.26.0 torchaudio==2.11.0 triton==3.6.0
bash "$(dirname "$0")/get_vllm.sh" 0.24.0 "$arch"
# [end:build]
