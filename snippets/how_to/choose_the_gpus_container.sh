#!/usr/bin/env bash
# Run the command that follows in a container that has some of the node's GPUs.
set -euo pipefail

# [start:container]
IMAGE=${IMAGE:?name the image}
# The render nodes of the GPUs, such as /dev/dri/renderD128 /dev/dri/renderD136
RENDER=${RENDER:?name the render nodes of the GPUs}
DEVICES=(--device /dev/kfd)
for node in $RENDER; do
  DEVICES+=(--device "$node")
done
docker run --rm -it "${DEVICES[@]}" --group-add video --ipc host "$IMAGE" "$@"
# [end:container]
