#!/usr/bin/env bash
# Look for known trouble on this machine, before a job does.  Run it where the job would
# run, in the guide's folder.
set -u

# [start:check]
python3 -m verl_rocm check
# [end:check]
found=$?

# [start:what_if]
python3 -m verl_rocm check --gpu MI300X --rocm 7.2.0 --vllm 0.24.0 --verl 0.9.1
# [end:what_if]

# [start:describe]
python3 -m verl_rocm check --json > machine.json
python3 -m verl_rocm check --machine machine.json
# [end:describe]

exit "$found"
