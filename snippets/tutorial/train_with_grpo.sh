#!/usr/bin/env bash
# Teach a small model to add, with GRPO on one node: data, training, and two looks at
# the log. For verl 0.9.1.
# More Hydra overrides can follow on the command line, and win.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." # the guide's folder
source snippets/tutorial/train_with_grpo_settings.sh

# [start:data]
python3 snippets/tutorial/arithmetic_data.py "$(dirname "$TRAIN_FILES")" --rows 5120
# [end:data]

# [start:train]
bash snippets/how_to/recipes/grpo.sh "${SUMS[@]}" "$@"
# [end:train]

# [start:judge]
python3 snippets/how_to/weight_sync.py "$OUT"
# [end:judge]

# [start:plot]
python3 -c "import matplotlib" 2>/dev/null || python3 -m pip install matplotlib
python3 snippets/tutorial/plot_rewards.py "$OUT"/metrics-*.jsonl \
  --out "$OUT/rewards.svg"
# [end:plot]
