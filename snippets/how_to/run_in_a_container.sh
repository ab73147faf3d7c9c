#!/usr/bin/env bash
# Start a command in a ROCm container with all that verl needs of the host.
#
#   run_in_a_container.sh [IMAGE] [COMMAND...]
#   ENGINE=podman DATA=/data/gsm8k run_in_a_container.sh verl-rocm:0.9.1 bash train.sh
set -euo pipefail

# [start:settings]
image="${1:-verl-rocm:0.9.1}"
engine="${ENGINE:-docker}"              # or podman
shm="${SHM:-2048g}"                     # upper bound of /dev/shm, not taken until used
open_files="${OPEN_FILES:-1048576}"
locked_memory="${LOCKED_MEMORY:--1}"    # -1: no limit
stack="${STACK:-67108864}"              # bytes
cache="${HF_HOME:-$HOME/.cache/huggingface}"
data="${DATA:-$PWD}"                    # seen at the same path inside
# [end:settings]

# [start:check]
stop() {
    echo "run_in_a_container: $*" >&2
    exit 2
}

part='[a-z0-9]([a-z0-9._-]*[a-z0-9])?'
tag="(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]{64})?"
[[ "$image" =~ ^($part(:[0-9]+)?/)?$part(/$part)*$tag$ ]] ||
    stop "'$image' is no image name: write it as repository/name:tag"
[[ "${image##*/}" == *[:@]* ]] ||
    stop "'$image' has no tag, so it would be another image tomorrow:" \
        "add :tag or @sha256:digest"
[ -e /dev/kfd ] ||
    stop "no /dev/kfd:" \
        "load the amdgpu driver on this host, or ask for a node with AMD GPUs"
[ -d "$data" ] ||
    stop "no folder DATA=$data"
command -v "$engine" >/dev/null ||
    stop "$engine is not there: install it, or set ENGINE=docker or ENGINE=podman"
"$engine" info >/dev/null 2>&1 ||
    stop "$engine does not answer:" \
        "start its service, or join its group and log in again"
# [end:check]

# [start:options]
options=(--rm --network host --entrypoint "")
options+=(--device /dev/kfd --device /dev/dri)
[ ! -d /dev/infiniband ] || options+=(--device /dev/infiniband)

# The devices belong to groups of the host; their
# numbers hold inside, their names need not.
if [ "$engine" = podman ] && [ "$(id -u)" != 0 ]; then
    [ -w /dev/kfd ] ||
        stop "you may not open /dev/kfd:" \
            "join its group, $(stat -c %G /dev/kfd), and log in again"
    options+=(--group-add keep-groups)
else
    for group in $(stat -c %g /dev/kfd /dev/dri/renderD* | sort -u); do
        options+=(--group-add "$group")
    done
fi

options+=(--shm-size "$shm")
options+=(--ulimit "memlock=$locked_memory:$locked_memory")
options+=(--ulimit "stack=$stack:$stack")
options+=(--ulimit "nofile=$open_files:$open_files")
options+=(--cap-add SYS_PTRACE --security-opt seccomp=unconfined)

mkdir -p "$cache"
options+=(--volume "$cache:/root/.cache/huggingface")
options+=(--env HF_HOME=/root/.cache/huggingface)
options+=(--volume "$data:$data" --workdir "$data")
[ ! -t 0 ] || options+=(--interactive --tty)
# [end:options]

# [start:run]
shift || true
[ $# -gt 0 ] || set -- bash
exec "$engine" run "${options[@]}" "$image" "$@"
# [end:run]
