#!/usr/bin/env bash
# Dry-run all launch scripts of a folder.
# Exit code: the worst of 0 clean, 1 findings, 2 no report.
set -u

# [start:gate]
verl-rocm engine  # once: vLLM and verl for the CPU, about 4 GB below ~/.cache/verl-rocm
verl-rocm gate --gpu MI300X --rocm 7.2.1 recipes/*.sh
# [end:gate]
