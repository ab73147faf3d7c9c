#!/usr/bin/env bash
# What verl and vLLM will make of the lesson's job on an MI300X.
# Exit code 0 clean, 1 findings, 2 bad input.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." # the guide's folder
source snippets/tutorial/train_with_grpo_settings.sh

# [start:ask]
python3 -m verl_rocm dry-run --gpu MI300X \
  --script snippets/how_to/recipes/grpo.sh "${SUMS[@]}"
# [end:ask]
