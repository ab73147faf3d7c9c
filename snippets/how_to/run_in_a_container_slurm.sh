#!/usr/bin/env bash
# One node of Slurm, all its GPUs, the job in an Apptainer image.
#
#   sbatch run_in_a_container_slurm.sh verl-rocm-0.9.1.sif bash train.sh
# [start:resources]
#SBATCH --job-name=verl
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --gpus-per-node=8
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=08:00:00
#SBATCH --output=%x-%j.log
# [end:resources]
set -euo pipefail

# [start:run]
# Slurm runs a copy of this file from elsewhere, so its
# neighbour is looked up where you called sbatch.
start="${SLURM_SUBMIT_DIR:?start this with sbatch}/run_in_a_container_apptainer.sh"
[ -x "$start" ] || { echo "no $start:" \
    "call sbatch in the folder that holds it" >&2; exit 2; }
exec srun --ntasks=1 --cpus-per-task="${SLURM_CPUS_ON_NODE:-1}" \
    --kill-on-bad-exit=1 "$start" "$@"
# [end:run]
