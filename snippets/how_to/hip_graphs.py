"""Construct a vLLM engine with HIP graphs, one rank a GPU, and read back what vLLM resolved.

Started by `hip_graphs.sh`.
"""

# [start:imports]
import argparse
import json
import os
import sys
from typing import Any

from vllm import LLM, SamplingParams

# [end:imports]

# [start:sizes]
CAPTURE_SIZES = [1, 2, 4, 8, 16, 32, 64]  # batch sizes that get a graph; each graph takes GPU memory
MAX_NUM_SEQS = 256  # requests that run at the same time
# [end:sizes]


# [start:construct]
def construct(
    model: str,
    *,
    tensor_parallel_size: int = 2,
    dtype: str = "bfloat16",
    max_model_len: int = 4096,
    gpu_memory_utilization: float = 0.5,
    enable_sleep_mode: bool = True,
) -> LLM:
    """Build this rank's engine; every rank calls it with the same arguments."""
    return LLM(
        model=model,
        enable_sleep_mode=enable_sleep_mode,
        tensor_parallel_size=tensor_parallel_size,
        distributed_executor_backend="external_launcher",
        dtype=dtype,
        enforce_eager=False,
        gpu_memory_utilization=gpu_memory_utilization,
        disable_custom_all_reduce=True,
        mm_processor_cache_gb=0,
        skip_tokenizer_init=False,
        max_model_len=max_model_len,
        load_format="auto",
        disable_log_stats=True,
        max_num_batched_tokens=8192,
        max_num_seqs=MAX_NUM_SEQS,
        enable_chunked_prefill=True,
        enable_prefix_caching=True,
        trust_remote_code=False,
        seed=0,
        compilation_config={
            "cudagraph_mode": "FULL_AND_PIECEWISE",
            "cudagraph_capture_sizes": CAPTURE_SIZES,
        },
    )


# [end:construct]


# [start:resolved]
def resolved(llm: LLM) -> dict[str, Any]:
    """What vLLM made of the arguments on this machine."""
    config = llm.llm_engine.vllm_config
    return {
        "executor": config.parallel_config.distributed_executor_backend,
        "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
        "enforce_eager": config.model_config.enforce_eager,
        "cudagraph_mode": config.compilation_config.cudagraph_mode.name,
        "capture_sizes": config.compilation_config.cudagraph_capture_sizes,
        "max_num_seqs": config.scheduler_config.max_num_seqs,
    }


# [end:resolved]


# [start:without_graph]
def without_graph(capture_sizes: list[int], max_num_seqs: int) -> range:
    """The decode batches that find no graph: those larger than the largest captured size."""
    return range(max(capture_sizes, default=0) + 1, max_num_seqs + 1)


# [end:without_graph]


# [start:main]
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tensor-parallel-size", type=int, default=2)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--enable-sleep-mode", action=argparse.BooleanOptionalAction, default=True)
    llm = construct(**vars(parser.parse_args()))

    greedy = SamplingParams(temperature=0, max_tokens=16)
    outputs = llm.generate(["San Francisco is", "One and one is"], greedy, use_tqdm=False)
    tokens = [list(output.outputs[0].token_ids) for output in outputs]
    report = {"rank": int(os.environ["RANK"]), "token_ids": tokens, **resolved(llm)}
    sys.stdout.write(json.dumps(report) + "\n")  # one write, so that the ranks' lines do not mix


# [end:main]

if __name__ == "__main__":
    main()
