#!/usr/bin/env bash
# Fully asynchronous GRPO on one node: half of the GPUs train while the other half
# generate. For verl 0.9.1.
# More Hydra overrides can follow on the command line, and win.
set -euo pipefail

# [start:split]
HERE=$(dirname "${BASH_SOURCE[0]}")
source "$HERE/settings.sh"

ROLLOUT_GPUS=${ROLLOUT_GPUS:-$((GPUS / 2))}
ASYNC=(
  trainer.n_gpus_per_node="$((GPUS - ROLLOUT_GPUS))"
  rollout.nnodes=1
  rollout.n_gpus_per_node="$ROLLOUT_GPUS"
  rollout.total_rollout_steps="${PROMPTS:-51200}"
  actor_rollout_ref.hybrid_engine=False
  actor_rollout_ref.rollout.checkpoint_engine.backend=nccl
  async_training.trigger_parameter_sync_step=4
  async_training.staleness_threshold=0.1
  async_training.partial_rollout=True
)
APART=(
  actor_rollout_ref.rollout.free_cache_engine=False
  ++actor_rollout_ref.rollout.enable_sleep_mode=False
  actor_rollout_ref.rollout.gpu_memory_utilization=0.85
)
# [end:split]

# [start:launch]
python3 "$HERE/guard.py" \
  python3 -m verl.experimental.fully_async_policy.fully_async_main \
  algorithm.adv_estimator=grpo \
  actor_rollout_ref.rollout.n=8 \
  data.train_batch_size=0 \
  data.gen_batch_size=1 \
  actor_rollout_ref.actor.ppo_mini_batch_size=64 \
  "${DATA[@]}" "${ACTOR[@]}" "${ROLLOUT[@]}" "${KEEP[@]}" "${ASYNC[@]}" "${APART[@]}" \
  trainer.nnodes=1 \
  trainer.total_epochs=1 \
  "$@" 2>&1 | tee "$OUT/verl.log"
# [end:launch]
