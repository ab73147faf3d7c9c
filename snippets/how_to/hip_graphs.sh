#!/usr/bin/env bash
# Start hip_graphs.py on two GPUs of one node; more arguments are handed on to it.
set -euo pipefail
cd "$(dirname "$0")"

# [start:launch]
torchrun --standalone --nproc-per-node 2 hip_graphs.py \
  --model "${MODEL:-Qwen/Qwen2.5-7B-Instruct}" "$@"
# [end:launch]
