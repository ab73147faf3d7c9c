#!/usr/bin/env bash
# A container that has some of the node's GPUs, and what follows on the command line in it.
set -euo pipefail

# [start:container]
IMAGE=${IMAGE:?name the image}
RENDER=${RENDER:?name the render nodes of the GPUs, such as /dev/dri/renderD128 /dev/dri/renderD136}
DEVICES=(--device /dev/kfd)
for node in $RENDER; do
  DEVICES+=(--device "$node")
done
docker run --rm -it "${DEVICES[@]}" --group-add video --ipc host "$IMAGE" "$@"
# [end:container]
