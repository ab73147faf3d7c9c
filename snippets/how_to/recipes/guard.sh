#!/usr/bin/env bash
# Preview a job without a GPU, then run it under the guard. More overrides can follow.
set -uo pipefail # findings of the preview end nothing
cd "$(dirname "$0")"

# [start:preview]
verl-rocm dry-run --gpu "${GPU:-MI300X}" --script grpo.sh "$@"
# [end:preview]

# [start:guard]
python3 guard.py python3 -m verl.trainer.main_ppo "$@"
# [end:guard]
