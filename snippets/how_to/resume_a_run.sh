#!/usr/bin/env bash
# Start the GRPO recipe, or go on where it was cut; run this again as often as needed.
# For verl 0.9.1.
# More Hydra overrides can follow on the command line, and win.
set -euo pipefail

# [start:variables]
RECIPE=${RECIPE:-$(dirname "${BASH_SOURCE[0]}")/recipes/grpo.sh}
OUT=${OUT:-$PWD/runs/grpo}
SAVE_EVERY=${SAVE_EVERY:-20} # steps
KEEP=${KEEP:-2}              # checkpoints of one start; not 1
# [end:variables]

# [start:before]
last=$OUT/checkpoints/latest_checkpointed_iteration.txt
done_before=0
if [ -f "$last" ]; then
  done_before=$(<"$last")
fi
metrics=$OUT/metrics-after-$done_before.jsonl
# [end:before]

# [start:run]
OUT=$OUT VERL_FILE_LOGGER_PATH=$metrics bash "$RECIPE" \
  trainer.resume_mode=auto \
  trainer.save_freq="$SAVE_EVERY" \
  trainer.max_actor_ckpt_to_keep="$KEEP" \
  trainer.max_critic_ckpt_to_keep="$KEEP" \
  "$@"
# [end:run]

# [start:after]
first=$(grep -o -m 1 '"training/global_step":[0-9]*' "$metrics" | cut -d : -f 2 || true)
if [ "$first" != $((done_before + 1)) ]; then
  echo "resume_a_run: after a checkpoint of step $done_before" \
      "the first step was ${first:-none}: it did not resume" >&2
  exit 1
fi
echo "steps $first to $(<"$last") in $metrics"
# [end:after]
