#!/usr/bin/env bash
# Judge the newest run of the GRPO recipe by its own metrics. For verl 0.9.1.
set -euo pipefail

# [start:check]
verl-rocm sync-check "${RUN:-runs/grpo}"
# [end:check]
