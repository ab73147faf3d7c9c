#!/usr/bin/env bash
# What verl and vLLM will do with a recipe on an AMD
# GPU: needs vLLM and verl, and no GPU.
# Exit code of each command: 0 clean, 1 findings, 2 bad input.
set -uo pipefail

# [start:ask]
python -m verl_rocm dry-run --gpu MI300X --rocm 7.2.1 \
  algorithm.adv_estimator=grpo \
  actor_rollout_ref.model.path=Qwen/Qwen2.5-7B-Instruct \
  actor_rollout_ref.actor.use_dynamic_bsz=True \
  actor_rollout_ref.rollout.name=vllm \
  actor_rollout_ref.rollout.enforce_eager=False \
  'actor_rollout_ref.rollout.cudagraph_capture_sizes=[1,2,4,8,16,32,64]'
# [end:ask]

# [start:compare]
python -m verl_rocm dry-run --compare MI250X,MI300X,MI355X --rocm 7.2.1 \
  --script snippets/how_to/recipes/grpo.sh
# [end:compare]
