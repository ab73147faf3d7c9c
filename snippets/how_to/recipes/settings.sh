# What all recipes of this folder share; they source it. For verl 0.9.1.
# the arrays are used by the recipe that sources this file
# shellcheck shell=bash disable=SC2034

# [start:variables]
MODEL=${MODEL:-Qwen/Qwen2.5-7B-Instruct}
TRAIN_FILES=${TRAIN_FILES:-$HOME/data/gsm8k/train.parquet}
VAL_FILES=${VAL_FILES:-$HOME/data/gsm8k/test.parquet}
GPUS=${GPUS:-8}
TENSOR_PARALLEL=${TENSOR_PARALLEL:-1}
PROMPT_TOKENS=${PROMPT_TOKENS:-512}
RESPONSE_TOKENS=${RESPONSE_TOKENS:-1024}
TOKENS_PER_GPU=${TOKENS_PER_GPU:-16384}
GPU_MEMORY=${GPU_MEMORY:-0.5}
OUT=${OUT:-$PWD/runs/$(basename "$0" .sh)}
GPU_ARCH=${GPU_ARCH:-$(rocminfo 2>/dev/null | grep -om1 'gfx[0-9a-f]*' || true)}
# [end:variables]

# [start:rollout]
ROLLOUT=(
  actor_rollout_ref.rollout.name=vllm
  actor_rollout_ref.rollout.tensor_model_parallel_size="$TENSOR_PARALLEL"
  actor_rollout_ref.rollout.gpu_memory_utilization="$GPU_MEMORY"
  actor_rollout_ref.rollout.enforce_eager=False
  actor_rollout_ref.rollout.max_num_seqs=256
  "actor_rollout_ref.rollout.cudagraph_capture_sizes=[1,2,4,8,16,32,64,128,256]"
  actor_rollout_ref.rollout.calculate_log_probs=True
  ++actor_rollout_ref.rollout.engine_kwargs.vllm.disable_custom_all_reduce=True
)
# [end:rollout]

# [start:sleep]
case $GPU_ARCH in
  gfx90a) # MI250
    SLEEP=False
    export HSA_NO_SCRATCH_RECLAIM=1
    ;;
  *) SLEEP=True ;; # gfx942 (MI300), gfx950 (MI350)
esac
COLOCATED=(
  actor_rollout_ref.rollout.free_cache_engine="$SLEEP"
  ++actor_rollout_ref.rollout.enable_sleep_mode="$SLEEP"
)
# [end:sleep]

# [start:actor]
ACTOR=(
  actor_rollout_ref.model.path="$MODEL"
  actor_rollout_ref.model.use_remove_padding=True
  actor_rollout_ref.actor.strategy=fsdp2
  actor_rollout_ref.actor.optim.lr=1e-6
  actor_rollout_ref.actor.use_dynamic_bsz=True
  actor_rollout_ref.actor.ppo_max_token_len_per_gpu="$TOKENS_PER_GPU"
)
# [end:actor]

# [start:data]
DATA=(
  data.train_files="$TRAIN_FILES"
  data.val_files="$VAL_FILES"
  data.max_prompt_length="$PROMPT_TOKENS"
  data.max_response_length="$RESPONSE_TOKENS"
)
# [end:data]

# [start:keep]
KEEP=(
  'trainer.logger=["console","file"]'
  trainer.default_local_dir="$OUT/checkpoints"
  trainer.save_freq=20
  trainer.test_freq=20
)
mkdir -p "$OUT"
METRICS=$OUT/metrics-$(date +%Y%m%dT%H%M%S).jsonl
export VERL_FILE_LOGGER_PATH=${VERL_FILE_LOGGER_PATH:-$METRICS}
# [end:keep]
