#!/usr/bin/env bash
# On every node: variables that Ray itself reads, or
# that every job on this node is to have.
set -euo pipefail

# [start:node]
export HSA_ENABLE_IPC_MODE_LEGACY=1
ray start "$@"
# [end:node]
