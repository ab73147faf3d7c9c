#!/usr/bin/env bash
# Start a command in an Apptainer image with all that verl needs of the host.  Apptainer
# runs it as you, without root.
#
#   run_in_a_container_apptainer.sh [IMAGE.sif] [COMMAND...]
#   DATA=/data/gsm8k run_in_a_container_apptainer.sh verl-rocm-0.9.1.sif bash train.sh
set -euo pipefail

# [start:settings]
image="${1:-verl-rocm-0.9.1.sif}"
# fewer than this, and a long job may run out of them
open_files="${OPEN_FILES:-65536}"
cache="${HF_HOME:-$HOME/.cache/huggingface}"
data="${DATA:-$PWD}"                    # seen at the same path inside
# [end:settings]

# [start:check]
stop() {
    echo "run_in_a_container_apptainer: $*" >&2
    exit 2
}

[ -f "$image" ] ||
    stop "no image $image: build it with apptainer build $image run_in_a_container.def"
[ -e /dev/kfd ] ||
    stop "no /dev/kfd:" \
        "load the amdgpu driver on this host, or ask for a node with AMD GPUs"
[ -w /dev/kfd ] ||
    stop "you may not open /dev/kfd:" \
        "join its group, $(stat -c %G /dev/kfd), and log in again"
[ -d "$data" ] ||
    stop "no folder DATA=$data"
command -v apptainer >/dev/null ||
    stop "apptainer is not there: load its module, or install it"
# [end:check]

# [start:limits]
# Apptainer hands the limits of this shell on.  Soft ones may be raised to the hard
# ones, and no further.
ulimit -S -n "$(ulimit -H -n)"
ulimit -S -l "$(ulimit -H -l)"
ulimit -S -s 65536 || true    # KiB
[ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge "$open_files" ] ||
    stop "only $(ulimit -n) open files allowed, $open_files wanted:" \
        "have the hard limit raised, or set OPEN_FILES"
[ "$(ulimit -l)" = unlimited ] ||
    echo "locked memory is limited to $(ulimit -l) KiB:" \
        "RDMA across nodes will need more" >&2
# [end:limits]

# [start:devices]
# Ray, verl and vLLM set these themselves, and refuse
# what Slurm leaves in ROCR_VISIBLE_DEVICES.
unset ROCR_VISIBLE_DEVICES HIP_VISIBLE_DEVICES CUDA_VISIBLE_DEVICES
# [end:devices]

# [start:run]
shift || true
[ $# -gt 0 ] || set -- bash
mkdir -p "$cache"
exec apptainer exec --bind "$cache" --bind "$data" --pwd "$data" \
    --env "HF_HOME=$cache" "$image" "$@"
# [end:run]
