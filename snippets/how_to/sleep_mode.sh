#!/usr/bin/env bash
# The thorough sleep-mode checks as they are started; run one of them.
set -euo pipefail

# [start:one_gpu]
verl-rocm sleep-check --model Qwen/Qwen2.5-0.5B-Instruct
# [end:one_gpu]

# [start:two_gpus]
HIP_VISIBLE_DEVICES=0,1 verl-rocm sleep-check \
  --model Qwen/Qwen2.5-0.5B-Instruct --tensor-parallel-size 2
# [end:two_gpus]

# [start:verl_order]
verl-rocm sleep-check --model Qwen/Qwen2.5-0.5B-Instruct --weight-sync
# [end:verl_order]
