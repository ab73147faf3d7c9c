#!/usr/bin/env bash
# Judge the newest run of the GRPO recipe by its own metrics. For verl 0.9.1.
set -euo pipefail

# [start:judge]
python3 weight_sync.py "${RUN:-runs/grpo}"
# [end:judge]
