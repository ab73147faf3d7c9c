#!/usr/bin/env bash
# GRPO on one node: actor and vLLM rollout share the GPUs. For verl 0.9.1.
# More Hydra overrides can follow on the command line, and win.
set -euo pipefail

# [start:launch]
HERE=$(dirname "${BASH_SOURCE[0]}")
source "$HERE/settings.sh"

python3 "$HERE/guard.py" python3 -m verl.trainer.main_ppo \
  algorithm.adv_estimator=grpo \
  actor_rollout_ref.rollout.n=8 \
  data.train_batch_size=256 \
  actor_rollout_ref.actor.ppo_mini_batch_size=64 \
  "${DATA[@]}" "${ACTOR[@]}" "${ROLLOUT[@]}" "${COLOCATED[@]}" "${KEEP[@]}" \
  trainer.n_gpus_per_node="$GPUS" \
  trainer.nnodes=1 \
  trainer.total_epochs=1 \
  "$@" 2>&1 | tee "$OUT/verl.log"
# [end:launch]
