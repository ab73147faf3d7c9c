# The settings of the lesson; its other scripts source
# them, in the guide's folder. For verl 0.9.1.
# the array is used by the script that sources this file
# shellcheck shell=bash disable=SC2034

# [start:settings]
set -a # the recipe reads the following
MODEL=${MODEL:-Qwen/Qwen2.5-0.5B-Instruct}
TRAIN_FILES=${TRAIN_FILES:-$PWD/data/sums/train.parquet}
VAL_FILES=${VAL_FILES:-$PWD/data/sums/val.parquet}
PROMPT_TOKENS=${PROMPT_TOKENS:-128} RESPONSE_TOKENS=${RESPONSE_TOKENS:-32}
OUT=${OUT:-$PWD/runs/sums}
set +a
SUMS=(
  reward.custom_reward_function.path="$PWD/snippets/tutorial/arithmetic_reward.py"
  reward.custom_reward_function.name=compute_score
)
# [end:settings]
