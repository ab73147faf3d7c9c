#!/usr/bin/env bash
# Which known issue does a log show?  LOG names the log, JOB a job of Ray.
set -u

# [start:explain]
verl-rocm explain "${LOG:-runs/grpo/verl.log}"
# [end:explain]
matched=$?

if [ -n "${JOB:-}" ]; then
    # [start:pipe]
    ray job logs "$JOB" | verl-rocm explain -
    # [end:pipe]
fi

exit "$matched"
