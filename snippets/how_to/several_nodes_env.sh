# shellcheck shell=bash
# The environment of every node. Source it before `ray start`: Ray's workers get what
# their own node's Ray was started with.

# [start:network]
# the network between the nodes, as `ip -br addr` names it
export INTERFACE="${INTERFACE:-eth0}"
# "=": this name, not all that begin so
export NCCL_SOCKET_IFNAME="${NCCL_SOCKET_IFNAME:-=$INTERFACE}"
export GLOO_SOCKET_IFNAME="${GLOO_SOCKET_IFNAME:-$INTERFACE}"
export NODE_ADDRESS
NODE_ADDRESS="$(ip -4 -o addr show dev "$INTERFACE" 2>/dev/null |
    awk '{sub("/.*", "", $4); print $4; exit}')" || NODE_ADDRESS=""
# [end:network]

# [start:adapters]
case "${ADAPTERS:-}" in    # the family, as `ibv_devices` shows it
    # a prefix; list single ones as mlx5_0,mlx5_2
    mlx5) export NCCL_IB_HCA="${NCCL_IB_HCA:-mlx5}" ;;
    bnxt_re)
        export NCCL_IB_HCA="${NCCL_IB_HCA:-bnxt_re}"
        export NCCL_IB_GID_INDEX="${NCCL_IB_GID_INDEX:-3}"
        ;;
    ionic)
        export NCCL_IB_HCA="${NCCL_IB_HCA:-ionic}"
        export NCCL_IB_GID_INDEX="${NCCL_IB_GID_INDEX:-1}"
        # ask your network team
        export NCCL_IB_TC="${NCCL_IB_TC:-104}" NCCL_IB_FIFO_TC="${NCCL_IB_FIFO_TC:-192}"
        ;;
    slingshot) export NCCL_SOCKET_IFNAME="hsn" NCCL_CROSS_NIC="${NCCL_CROSS_NIC:-1}" ;;
    "") ;;    # one kind of adapter, and RCCL finds it
    *)
        echo "several_nodes_env: ADAPTERS=$ADAPTERS is unknown:" \
            "mlx5, bnxt_re, ionic, slingshot, or nothing" >&2
        exit 2
        ;;
esac
# [end:adapters]

# [start:token]
# One secret for the cluster, in a file that every
# node can read. Ray before 2.52 ignores it.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/several_nodes_token}"
# [end:token]
