#!/usr/bin/env bash
# Start Ray on this node, as the head or as a worker of a cluster. Options of `ray
# start` can follow.
#
#   several_nodes_ray.sh head [OPTION...]
#   several_nodes_ray.sh worker HEAD_ADDRESS [OPTION...]
#
# Set INTERFACE, and ADAPTERS where RCCL needs it,
# alike on all nodes: see several_nodes_env.sh.
set -euo pipefail

role="${1:-}"
head_address="${2:-}"
port="${PORT:-6379}"
wait_seconds="${WAIT_SECONDS:-300}"    # for the head, on a worker

# [start:check]
stop() {
    echo "several_nodes_ray: $*" >&2
    exit 2
}
listens() {    # ADDRESS PORT
    timeout 3 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null
}

# shellcheck source-path=SCRIPTDIR source=several_nodes_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/several_nodes_env.sh"
command -v ray >/dev/null ||
    stop "no ray on PATH: enter the container or the environment that has verl"
[ -n "$NODE_ADDRESS" ] ||
    stop "INTERFACE=$INTERFACE has no IPv4 address here:" \
        "use one of $(ip -4 -o addr show | awk '{print $2}' | sort -u | xargs)"
# pgrep would count a Ray that has ended and was not
# taken in by the container's first process
# shellcheck disable=SC2009
! ps -u "$(id -u)" -o stat=,comm= | grep -q '^[^Z].*raylet$' ||
    stop "a Ray that was left behind still runs on this node: end it with 'ray stop'"
# [end:check]

case "$role" in
head)
    # [start:head]
    ! listens "$NODE_ADDRESS" "$port" ||
        stop "port $port of $NODE_ADDRESS is taken: set PORT, and on the workers too"
    if [ ! -s "$RAY_AUTH_TOKEN_PATH" ]; then
        mkdir -p "$(dirname "$RAY_AUTH_TOKEN_PATH")"
        (umask 077 && head -c 32 /dev/urandom | sha256sum |
            cut -c1-64 >"$RAY_AUTH_TOKEN_PATH")
    fi
    ray start --head --node-ip-address="$NODE_ADDRESS" --port="$port" "${@:2}"
    echo "several_nodes_ray: on the workers: several_nodes_ray.sh worker $NODE_ADDRESS"
    # [end:head]
    ;;
worker)
    # [start:worker]
    [ -n "$head_address" ] ||
        stop "which head? several_nodes_ray.sh worker HEAD_ADDRESS"
    until listens "$head_address" "$port"; do
        [ "$SECONDS" -lt "$wait_seconds" ] ||
            stop "no Ray at $head_address:$port after $wait_seconds s:" \
                "is the head up, INTERFACE right, the port open?"
        sleep 1
    done
    [ -s "$RAY_AUTH_TOKEN_PATH" ] ||
        stop "no token at RAY_AUTH_TOKEN_PATH=$RAY_AUTH_TOKEN_PATH:" \
            "copy the head's file there"
    ray start --address="$head_address:$port" --node-ip-address="$NODE_ADDRESS" "${@:3}"
    # [end:worker]
    ;;
*) stop "'$role' is no role:" \
    "several_nodes_ray.sh head, or several_nodes_ray.sh worker HEAD_ADDRESS" ;;
esac
