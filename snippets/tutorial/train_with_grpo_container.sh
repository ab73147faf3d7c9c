#!/usr/bin/env bash
# Build the image of the lesson, and open a shell in it.
# Run this on the node, in the guide's folder.
set -euo pipefail

# [start:container]
docker build --tag verl-rocm:0.9.1 \
  --file snippets/how_to/run_in_a_container.Dockerfile snippets/how_to
bash snippets/how_to/run_in_a_container.sh verl-rocm:0.9.1
# [end:container]
