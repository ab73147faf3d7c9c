#!/usr/bin/env bash
# The sleep-mode checks as they are started; run one of them, in the directory of the scripts.
set -euo pipefail
cd "$(dirname "$0")"

# [start:one_gpu]
python sleep_mode.py --model Qwen/Qwen2.5-0.5B-Instruct
# [end:one_gpu]

# [start:two_gpus]
HIP_VISIBLE_DEVICES=0,1 python sleep_mode.py --model Qwen/Qwen2.5-0.5B-Instruct --tensor-parallel-size 2
# [end:two_gpus]

# [start:verl_order]
python sleep_mode_sync.py --model Qwen/Qwen2.5-0.5B-Instruct
# [end:verl_order]
