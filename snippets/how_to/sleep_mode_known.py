"""Known issues of sleep mode by the way they fail: what the failure looks like, what to do, where it is discussed.

Threads and releases as read in November 2026. `sleep_mode_report.py` prints them below a failure.
"""

from typing import NamedTuple


class Known(NamedTuple):
    looks_like: str
    do: str
    see: str


# [start:known_issues]
KNOWN: dict[str, tuple[Known, ...]] = {
    "not freed": (
        Known(
            "ROCm keeps the memory while its address range stays reserved (vLLM 0.11.1 to 0.24.0, seen on ROCm 7.2)",
            "use a vLLM that contains PR 46203: 0.25.0 or later",
            "https://github.com/vllm-project/vllm/pull/46203",
        ),
        Known(
            "ROCm 6.4.0 does not release physical memory; reported fixed in 6.4.2",
            "upgrade ROCm",
            "https://github.com/ROCm/hip/issues/3781, https://github.com/vllm-project/vllm/pull/12695",
        ),
        Known(
            "expandable_segments:True is set; vLLM 0.22.1 and later undo it where PYTORCH_CUDA_ALLOC_CONF sets it",
            "unset it for the engine, and in PYTORCH_ALLOC_CONF too, at which vLLM does not look",
            "https://github.com/vllm-project/vllm/pull/11743",
        ),
        Known(
            "the engine was built without enable_sleep_mode, or its platform ignores sleep",
            "pass enable_sleep_mode=True and read the first warnings of the engine's log",
            "https://docs.vllm.ai/en/latest/features/sleep_mode/",
        ),
        Known(
            "sleep reached only some GPUs (collective_rpc with data parallel)",
            "call the engine's own sleep(); in verl use a version with PR 6456",
            "https://github.com/verl-project/verl/pull/6456",
        ),
    ),
    "partly freed": (
        Known(
            "part of the weights lives outside the sleep allocator; reported for vLLM 0.14 and 0.15",
            "compare the missing part with the size of the weights, and change the vLLM version",
            "https://github.com/vllm-project/vllm/issues/32714",
        ),
    ),
    "not back": (
        Known(
            "a tag stayed asleep, or another process freed memory at the same moment",
            "wake `weights` and `kv_cache` both, and give the check a GPU of its own",
            "https://docs.vllm.ai/en/latest/features/sleep_mode/",
        ),
    ),
    "more after": (
        Known(
            "another process took memory on this GPU during the check, or wake-up allocates a second copy",
            "list the processes with amd-smi (CUDA: nvidia-smi) and run the check alone",
            "https://github.com/vllm-project/vllm/pull/34600",
        ),
    ),
    "text changed": (
        Known(
            "level 2 woke without its weights being loaded again",
            "wake `weights`, reload or sync them, then wake `kv_cache`, and generate only after that",
            "https://github.com/vllm-project/vllm/issues/29341",
        ),
        Known(
            "ROCm, mixture of experts: weights move to another address while a captured graph reads the old one",
            "use a vLLM with PR 46009; to confirm the cause: enforce_eager=True",
            "https://github.com/vllm-project/vllm/pull/46009",
        ),
        Known(
            "hybrid Mamba or gated-delta models: woken memory holds old data, answers are all '!'",
            "use a vLLM with PR 44972",
            "https://github.com/vllm-project/vllm/pull/44972",
        ),
        Known(
            "FP8 KV cache and level 2: the scales were not set again",
            "use a vLLM with PR 28783",
            "https://github.com/vllm-project/vllm/pull/28783",
        ),
    ),
    "long text changed": (
        Known(
            "the prefix cache was not reset, so old KV blocks are read after wake-up",
            "call the engine's own sleep(), or reset_prefix_cache() after wake-up",
            "https://github.com/vllm-project/vllm/issues/17103",
        ),
    ),
    "logprobs changed": (
        Known(
            "weights or buffers came back slightly wrong, or hold NaN",
            "compare enforce_eager=True and VLLM_ROCM_USE_AITER=0 with your settings",
            "https://github.com/vllm-project/vllm/issues/48312",
        ),
    ),
    "memory grows": (
        Known(
            "ROCm 7.2.0 to 7.2.4 keep memory that was shared with another process over IPC",
            "export HSA_ENABLE_IPC_MODE_LEGACY=1 before the job starts, on every node",
            "https://github.com/radixark/miles/pull/1707",
        ),
        Known(
            "verl makes and exports a new bucket at every sync, and it is not returned on ROCm",
            "the same variable; PR 6958 describes it and is not merged",
            "https://github.com/verl-project/verl/pull/6958",
        ),
    ),
    "files grow": (
        Known(
            "ROCm 7.2 does not give back the descriptor of a mapped block of device memory",
            "compare with another ROCm release; until then raise `ulimit -n` and restart in time",
            "https://github.com/fzyzcjy/torch_memory_saver/issues/83",
        ),
        Known(
            "ROCm 7.14 opens one descriptor for each block of device memory, so a memory leak shows here too",
            "raise `ulimit -n` (docker run --ulimit nofile=1048576:1048576)",
            "https://github.com/ROCm/legacy-rocm-build/issues/6661",
        ),
    ),
    "not repeatable": (
        Known(
            "greedy answers differ without any sleep, so no text comparison can decide",
            "run the check with the GPU to itself, with enforce_eager=True and without speculative decoding",
            "https://docs.vllm.ai/en/latest/usage/reproducibility/",
        ),
    ),
    "raised": (
        Known(
            "`invalid argument` at wake-up, ROCm with tensor parallel: vLLM between PR 37533 and PR 40686",
            "use vLLM 0.25.0 or later, which contains PR 46203",
            "https://github.com/vllm-project/vllm/pull/40686",
        ),
        Known(
            "GPU memory fault at the first wake-up on MI300, not every time",
            "run again to see whether it repeats; PR 52478 has the discussion and is not merged",
            "https://github.com/vllm-project/vllm/pull/52478",
        ),
        Known(
            "out of memory at wake-up: the memory was not really freed, or another process took it",
            "watch amd-smi during the check",
            "https://github.com/vllm-project/vllm/pull/12695",
        ),
    ),
    "too few cycles": (),
}
# [end:known_issues]
