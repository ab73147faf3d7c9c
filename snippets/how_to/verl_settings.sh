#!/usr/bin/env bash
# GRPO with a vLLM rollout that captures HIP graphs of a few sizes. For verl 0.9.1, one node.
# More Hydra overrides can follow on the command line.
set -euo pipefail

# [start:variables]
MODEL=${MODEL:-Qwen/Qwen2.5-7B-Instruct}
TRAIN_FILES=${TRAIN_FILES:-$HOME/data/gsm8k/train.parquet}
VAL_FILES=${VAL_FILES:-$HOME/data/gsm8k/test.parquet}
GPUS=${GPUS:-8}
TENSOR_PARALLEL=${TENSOR_PARALLEL:-2}
# [end:variables]

# [start:rollout]
ROLLOUT=(
  actor_rollout_ref.rollout.name=vllm
  actor_rollout_ref.rollout.n=8
  actor_rollout_ref.rollout.tensor_model_parallel_size="$TENSOR_PARALLEL"
  actor_rollout_ref.rollout.gpu_memory_utilization=0.5
  actor_rollout_ref.rollout.free_cache_engine=True
  actor_rollout_ref.rollout.enforce_eager=False
  actor_rollout_ref.rollout.max_num_seqs=256
  "actor_rollout_ref.rollout.cudagraph_capture_sizes=[1,2,4,8,16,32,64]"
  ++actor_rollout_ref.rollout.engine_kwargs.vllm.disable_custom_all_reduce=True
)
# [end:rollout]

# [start:launch]
python3 -m verl.trainer.main_ppo \
  algorithm.adv_estimator=grpo \
  data.train_files="$TRAIN_FILES" \
  data.val_files="$VAL_FILES" \
  data.train_batch_size=256 \
  data.max_prompt_length=512 \
  data.max_response_length=1024 \
  actor_rollout_ref.model.path="$MODEL" \
  actor_rollout_ref.actor.optim.lr=1e-6 \
  actor_rollout_ref.actor.ppo_mini_batch_size=64 \
  actor_rollout_ref.actor.use_dynamic_bsz=True \
  "${ROLLOUT[@]}" \
  trainer.n_gpus_per_node="$GPUS" \
  trainer.nnodes=1 \
  trainer.logger='["console"]' \
  trainer.total_epochs=1 \
  "$@" 2>&1 | tee verl.log
# [end:launch]
