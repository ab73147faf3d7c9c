#!/usr/bin/env bash
# Slurm starts this once on every node, in the container: node 0 is the head and runs
# the command, the others are workers.
#
#   several_nodes_task.sh COMMAND...
set -euo pipefail

stop() {
    echo "several_nodes_task: $*" >&2
    exit 2
}
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
gpus="${GPUS:-8}"    # of each node
has=(--num-gpus="$gpus" --num-cpus="${SLURM_CPUS_ON_NODE:-$(nproc)}")
export PORT="${PORT:-6379}" WAIT_SECONDS="${WAIT_SECONDS:-300}"
[ -n "${SLURM_NODEID:-}" ] ||
    stop "no Slurm allocation: submit several_nodes_slurm.sh with sbatch"
[ "${SLURM_NTASKS:-}" = "${SLURM_NNODES:-}" ] ||
    stop "needs one task a node: --ntasks-per-node=1"
[ -d "${RUN_DIR:-}" ] ||
    stop "RUN_DIR=${RUN_DIR:-} is no folder on $(hostname): name one that all nodes see"
[ $# -gt 0 ] ||
    stop "which command? several_nodes_task.sh bash recipes/grpo.sh trainer.nnodes=2"

# [start:prepare]
# Slurm sets ROCR_VISIBLE_DEVICES for AMD GPUs; Ray and verl refuse it. The job has
# whole nodes, so none is needed.
unset ROCR_VISIBLE_DEVICES HIP_VISIBLE_DEVICES CUDA_VISIBLE_DEVICES
export RAY_AUTH_TOKEN_PATH="$RUN_DIR/token"
export RAY_TMPDIR="/tmp/ray-$SLURM_JOB_ID"    # /tmp/ray may belong to somebody else
mkdir -p "$RAY_TMPDIR"
clean() {
    ray stop >/dev/null 2>&1 || true
    rm -rf "$RAY_TMPDIR"
}
trap clean EXIT
trap 'exit 143' TERM    # scancel
# shellcheck source-path=SCRIPTDIR source=several_nodes_env.sh
source "$here/several_nodes_env.sh"
# [end:prepare]

if [ "$SLURM_NODEID" = 0 ]; then
    # [start:head]
    trap 'touch "$RUN_DIR/over"; clean' EXIT
    bash "$here/several_nodes_ray.sh" head "${has[@]}"
    echo "$NODE_ADDRESS" >"$RUN_DIR/head.new" && mv "$RUN_DIR/head.new" "$RUN_DIR/head"
    RAY_ADDRESS="$NODE_ADDRESS:$PORT" python3 "$here/several_nodes_run.py" \
        --nodes "$SLURM_NNODES" --gpus "$gpus" --wait "$WAIT_SECONDS" "$@" &
    trap 'kill %1' TERM    # docker hands scancel's signal to this shell alone
    wait %1
    # [end:head]
else
    # [start:worker]
    until [ -s "$RUN_DIR/head" ]; do
        [ ! -e "$RUN_DIR/over" ] || exit 0
        [ "$SECONDS" -lt "$WAIT_SECONDS" ] ||
            stop "no head within $WAIT_SECONDS s: see its lines above"
        sleep 1
    done
    head_address="$(cat "$RUN_DIR/head")"
    bash "$here/several_nodes_ray.sh" worker "$head_address" "${has[@]}"
    # Until the head says so, or is gone.
    head="/dev/tcp/$head_address/$PORT"
    while [ ! -e "$RUN_DIR/over" ] && timeout 5 bash -c "exec 3<>$head" 2>/dev/null; do
        sleep 2
    done
    # [end:worker]
fi
