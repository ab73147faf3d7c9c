#!/usr/bin/env bash
# Start a Ray node for verl so that every process
# sees the GPUs that it should, and check it.
# More options of `ray start` can follow on the command line.
set -euo pipefail

# [start:unset]
unset ROCR_VISIBLE_DEVICES HIP_VISIBLE_DEVICES CUDA_VISIBLE_DEVICES GPU_DEVICE_ORDINAL
unset RAY_EXPERIMENTAL_NOSET_ROCR_VISIBLE_DEVICES
unset RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES
# [end:unset]

# [start:start]
GPUS=${GPUS:-$(python3 -c 'import torch; print(torch.cuda.device_count())')}
ray start --head --num-gpus="$GPUS" "$@"
# [end:start]

# [start:check]
export RAY_ADDRESS=${RAY_ADDRESS:-auto}
python3 "$(dirname "$0")/choose_the_gpus.py" --tensor-parallel "${TENSOR_PARALLEL:-2}"
# [end:check]
