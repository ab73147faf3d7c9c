"""Your first rollout: n answers per prompt, with log-probabilities, as GRPO needs them.

Usage: python first_rollout.py --model Qwen/Qwen2.5-0.5B-Instruct
"""

# [start:imports]
import argparse
import time
from dataclasses import dataclass

from vllm import LLM, RequestOutput, SamplingParams

# [end:imports]

# [start:prompts]
PROMPTS = [
    "Natalia sold 48 clips in April, half as many in May. How many altogether?",
    "A robe takes 2 bolts of blue fiber, half that of white. How many bolts in total?",
]
# [end:prompts]


# [start:build_engine]
def build_engine(
    model: str, *, dtype: str = "bfloat16", max_model_len: int = 2048
) -> LLM:
    """Load `model` (a name or a directory) on one device."""
    return LLM(
        model=model,
        dtype=dtype,
        max_model_len=max_model_len,
        gpu_memory_utilization=0.5,
        logprobs_mode="processed_logprobs",
    )


# [end:build_engine]


# [start:generate]
def generate(
    llm: LLM,
    prompts: list[str],
    *,
    n: int = 8,
    temperature: float = 1.0,
    max_tokens: int = 512,
    seed: int = 0,
) -> list[RequestOutput]:
    """Sample `n` answers per prompt; one output per prompt, in their order."""
    params = SamplingParams(
        n=n, temperature=temperature, max_tokens=max_tokens, logprobs=0, seed=seed
    )
    conversations = [[{"role": "user", "content": prompt}] for prompt in prompts]
    outputs: list[RequestOutput] = llm.chat(conversations, params, use_tqdm=False)
    return outputs


# [end:generate]


# [start:read]
@dataclass
class Sample:
    """One answer: what a trainer takes from the rollout."""

    group: int  # index of the prompt; GRPO compares the samples of one group
    prompt_ids: list[int]
    token_ids: list[int]
    logprobs: list[float]  # natural logarithm, one a token
    text: str


def read(outputs: list[RequestOutput]) -> list[Sample]:
    """Flatten the outputs, group by group."""
    return [
        Sample(
            group=group,
            prompt_ids=list(output.prompt_token_ids),
            token_ids=list(answer.token_ids),
            logprobs=[
                at[token].logprob
                for token, at in zip(answer.token_ids, answer.logprobs, strict=True)
            ],
            text=answer.text,
        )
        for group, output in enumerate(outputs)
        for answer in output.outputs
    ]


# [end:read]


# [start:report]
def throughput(samples: list[Sample], seconds: float) -> str:
    """One line; prompt tokens are not counted."""
    tokens = sum(len(sample.token_ids) for sample in samples)
    work = f"{len(samples)} samples, {tokens} tokens in {seconds:.2f} s"
    return f"{work}: {tokens / seconds:.0f} tokens/s"


def report(llm: LLM, *, n: int = 8, max_tokens: int = 512) -> None:
    """Print one line a sample and the throughput."""
    generate(
        llm, PROMPTS, n=1, max_tokens=8
    )  # the first call also warms up: it stays out of the timing
    start = time.perf_counter()
    samples = read(generate(llm, PROMPTS, n=n, max_tokens=max_tokens))
    seconds = time.perf_counter() - start
    for sample in samples:
        tokens, logprob = len(sample.token_ids), sum(sample.logprobs)
        print(f"prompt {sample.group}, {tokens} tokens, log-prob {logprob:.1f}")
    print(throughput(samples, seconds))


# [end:report]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", default="bfloat16")
    args = parser.parse_args()
    report(build_engine(args.model, dtype=args.dtype))


if __name__ == "__main__":
    main()
