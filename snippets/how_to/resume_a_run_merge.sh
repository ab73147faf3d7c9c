#!/usr/bin/env bash
# Make a model of a checkpoint's weights, for a new run on another number of GPUs or for
# serving. For verl 0.9.1.
set -euo pipefail

# [start:merge]
STEP=${STEP:-$(cat runs/grpo/checkpoints/latest_checkpointed_iteration.txt)}
python3 -m verl.model_merger merge --backend fsdp \
  --local_dir "runs/grpo/checkpoints/global_step_$STEP/actor" \
  --target_dir "merged-$STEP"
MODEL=$PWD/merged-$STEP OUT=$PWD/runs/grpo-from-$STEP bash recipes/grpo.sh
# [end:merge]
