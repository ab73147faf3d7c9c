"""Does sleep mode free this GPU's memory, and is the model the same afterwards?

python sleep_mode.py Qwen/Qwen2.5-0.5B-Instruct
"""

# [start:imports]
import sys

import amdsmi
from vllm import LLM, SamplingParams

# [end:imports]


# [start:measure]
def vram_used() -> float:
    """GiB in use on the first GPU, by all processes, as the driver reports it."""
    gpu = amdsmi.amdsmi_get_processor_handles()[0]
    return amdsmi.amdsmi_get_gpu_vram_usage(gpu)["vram_used"] / 1024


def answer(llm: LLM) -> str:
    greedy = SamplingParams(temperature=0, max_tokens=16)
    return llm.generate(["San Francisco is"], greedy)[0].outputs[0].text


# [end:measure]


# [start:cycle]
def main(model: str, kv_cache_gib: int = 8) -> int:
    amdsmi.amdsmi_init()
    llm = LLM(model, enable_sleep_mode=True, kv_cache_memory_bytes=kv_cache_gib * 2**30)
    before, awake = answer(llm), vram_used()
    llm.sleep(level=1)
    freed = awake - vram_used()
    llm.wake_up()
    works = freed > 0.9 * kv_cache_gib and answer(llm) == before
    print(f"{freed:.2f} GiB freed, at least {kv_cache_gib} expected; works: {works}")
    return 0 if works else 1


# [end:cycle]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
