#!/usr/bin/env bash
# Several whole nodes of Slurm: Ray on each of them, in
# a container, and one command on the first.
# Submit it in the folder that holds these scripts; all nodes must see that folder.
#
#   INTERFACE=ib0 sbatch several_nodes_slurm.sh verl-rocm-0.9.1.sif bash recipes/grpo.sh
#   trainer.nnodes=2
#   CONTAINER=docker INTERFACE=ib0 sbatch several_nodes_slurm.sh verl-rocm:0.9.1 bash
#   recipes/grpo.sh trainer.nnodes=2
# [start:resources]
#SBATCH --job-name=verl
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=08:00:00
#SBATCH --output=%x-%j.log
# [end:resources]
set -euo pipefail

stop() {
    echo "several_nodes_slurm: $*" >&2
    exit 2
}
here="${SLURM_SUBMIT_DIR:-}"    # $0 is a copy that Slurm made elsewhere
[ -n "${SLURM_JOB_ID:-}" ] ||
    stop "no Slurm allocation: sbatch several_nodes_slurm.sh IMAGE COMMAND..."
[ $# -ge 2 ] ||
    stop "which image and command? sbatch several_nodes_slurm.sh IMAGE COMMAND..."
case "${CONTAINER:-apptainer}" in
    apptainer) start="$here/run_in_a_container_apptainer.sh" ;;
    docker) start="$here/run_in_a_container.sh" ;;
    *) stop "CONTAINER=$CONTAINER is unknown: apptainer or docker" ;;
esac
for file in "$start" "$here/several_nodes_task.sh"; do
    [ -f "$file" ] || stop "no $file: call sbatch in the folder that holds it"
done

# [start:run]
export GPUS="${GPUS:-8}" DATA="${DATA:-$here}" RUN_DIR="$here/ray-$SLURM_JOB_ID"
mkdir -p "$RUN_DIR"
trap 'rm -rf "$RUN_DIR"' EXIT

# Docker hands no variables on, so the ones that count go into the command.
# shellcheck disable=SC2016  # expanded on each node, where SLURM_NODEID differs
srun --ntasks-per-node=1 --cpu-bind=none bash -c '
    slurm="SLURM_(JOB_ID|NODEID|NNODES|NTASKS|CPUS_ON_NODE)"
    wanted="^($slurm|RUN_DIR|GPUS|PORT|WAIT_SECONDS)="
    wanted+="|^(INTERFACE|ADAPTERS|(NCCL|GLOO|RCCL)_.*)="
    mapfile -t passed < <(env | grep -E "$wanted")
    exec "$1" "$2" env "${passed[@]}" bash "$3" "${@:4}"
' node "$start" "$1" "$here/several_nodes_task.sh" "${@:2}"
# [end:run]
