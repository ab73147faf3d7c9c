#!/usr/bin/env bash
# PPO with a critic on one node: actor, critic and
# vLLM rollout share the GPUs. For verl 0.9.1.
# More Hydra overrides can follow on the command line, and win.
set -euo pipefail

# [start:critic]
HERE=$(dirname "${BASH_SOURCE[0]}")
source "$HERE/settings.sh"

CRITIC=(
  critic.model.path="${CRITIC_MODEL:-$MODEL}"
  critic.strategy=fsdp2
  critic.ppo_max_token_len_per_gpu="${CRITIC_TOKENS_PER_GPU:-32768}"
)
# [end:critic]

# [start:launch]
python3 "$HERE/guard.py" python3 -m verl.trainer.main_ppo \
  algorithm.adv_estimator=gae \
  actor_rollout_ref.rollout.n=1 \
  data.train_batch_size=1024 \
  actor_rollout_ref.actor.ppo_mini_batch_size=256 \
  "${CRITIC[@]}" \
  "${DATA[@]}" "${ACTOR[@]}" "${ROLLOUT[@]}" "${COLOCATED[@]}" "${KEEP[@]}" \
  trainer.n_gpus_per_node="$GPUS" \
  trainer.nnodes=1 \
  trainer.total_epochs=1 \
  "$@" 2>&1 | tee "$OUT/verl.log"
# [end:launch]
