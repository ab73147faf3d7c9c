#!/usr/bin/env bash
# Give vLLM's processes environment variables in a verl job.  What this script is given
# goes on to verl.
set -euo pipefail

# [start:override]
ENV=ray_kwargs.ray_init.runtime_env.env_vars
VARIABLES=(
  "+$ENV.VLLM_ROCM_USE_AITER='1'"
  "+$ENV.VLLM_LOGGING_LEVEL=INFO"
)
python3 -m verl.trainer.main_ppo "${VARIABLES[@]}" "$@"
# [end:override]
