"""Start a vLLM engine with HIP graphs, one rank per GPU; read back what vLLM resolved.

Started by `hip_graphs.sh`.
"""

# [start:imports]
import argparse
import json
import os
import sys

from vllm import LLM, SamplingParams

# [end:imports]

# [start:sizes]
MAX_NUM_SEQS = 256  # requests that run at the same time
CAPTURE_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256]  # ends at MAX_NUM_SEQS
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
        dtype=dtype,
        tensor_parallel_size=tensor_parallel_size,
        distributed_executor_backend="external_launcher",
        max_model_len=max_model_len,
        gpu_memory_utilization=gpu_memory_utilization,
        max_num_seqs=MAX_NUM_SEQS,
        cudagraph_capture_sizes=CAPTURE_SIZES,
        disable_custom_all_reduce=True,
        enable_sleep_mode=enable_sleep_mode,
    )


# [end:construct]


# [start:resolved]
def resolved(llm: LLM) -> dict[str, object]:
    """What vLLM made of the arguments on this machine."""
    config = llm.llm_engine.vllm_config
    return {
        "executor": config.parallel_config.distributed_executor_backend,
        "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
        "cudagraph_mode": config.compilation_config.cudagraph_mode.name,
        "capture_sizes": config.compilation_config.cudagraph_capture_sizes,
        "max_num_seqs": config.scheduler_config.max_num_seqs,
    }


# [end:resolved]


# [start:main]
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tensor-parallel-size", type=int, default=2)
    parser.add_argument("--dtype", default="bfloat16")
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--enable-sleep-mode", action=switch, default=True)
    llm = construct(**vars(parser.parse_args()))

    greedy = SamplingParams(temperature=0, max_tokens=16)
    prompts = ["San Francisco is", "One and one is"]
    outputs = llm.generate(prompts, greedy, use_tqdm=False)
    tokens = [list(output.outputs[0].token_ids) for output in outputs]
    report = {"rank": int(os.environ["RANK"]), "token_ids": tokens, **resolved(llm)}
    sys.stdout.write(json.dumps(report) + "\n")  # one write: lines of ranks do not mix


# [end:main]

if __name__ == "__main__":
    main()
