#!/usr/bin/env bash
# The GRPO recipe with an SGLang rollout in place of vLLM. For verl 0.9.1 in its ROCm
# image, which holds SGLang 0.5.15.
# More Hydra overrides can follow on the command line, and win.
set -euo pipefail

# [start:variables]
RECIPE=${RECIPE:-$(dirname "${BASH_SOURCE[0]}")/recipes/grpo.sh}
GRAPHS=${GRAPHS:-cuda_graph_max_bs_decode=64} # SGLang 0.5.12: cuda_graph_max_bs=64
# [end:variables]

# [start:overrides]
OVERRIDES=(
  actor_rollout_ref.rollout.name=sglang
  ++actor_rollout_ref.rollout.engine_kwargs.sglang.attention_backend=triton
  '++ray_kwargs.ray_init.runtime_env.env_vars.SGLANG_USE_AITER="0"'
  ++actor_rollout_ref.rollout.engine_kwargs.sglang.disable_custom_all_reduce=True
  ++actor_rollout_ref.rollout.engine_kwargs.sglang."$GRAPHS"
  ++actor_rollout_ref.rollout.engine_kwargs.sglang.log_level=info
)
# [end:overrides]

# [start:launch]
OUT=${OUT:-$PWD/runs/sglang} bash "$RECIPE" "${OVERRIDES[@]}" "$@"
# [end:launch]
