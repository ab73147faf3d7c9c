"""The tutorial's rollout: how many samples, which tokens, and log-probabilities against transformers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from snippets.tutorial import first_rollout as page

if TYPE_CHECKING:
    from vllm import LLM

# float32 on CPU, so that the two programs differ by rounding alone; bfloat16 (8 bits) elsewhere.
DTYPE = {"cpu": "float32"}
TOLERANCE = {"cpu": 1e-3}


@pytest.fixture(scope="module")
def llm(model: str, accelerator: str) -> "Iterator[LLM]":
    built = page.build_engine(model, dtype=DTYPE.get(accelerator, "bfloat16"))
    yield built
    built.llm_engine.engine_core.shutdown()


@pytest.fixture(scope="module")
def reference(model: str, accelerator: str) -> Any:
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    return loaded.to("cpu" if accelerator == "cpu" else "cuda").eval()


def expected(reference: Any, sample: page.Sample, temperature: float) -> torch.Tensor:
    """Log-probabilities by transformers, one row a sampled token, one column a token of the vocabulary."""
    ids = torch.tensor([sample.prompt_ids + sample.token_ids], device=reference.device)
    with torch.inference_mode():
        logits = reference(ids).logits[0, len(sample.prompt_ids) - 1 : -1]
    return torch.log_softmax(logits.float() / temperature, dim=-1).cpu()


@pytest.mark.block("tutorial/first_rollout.py", "imports", "prompts", "generate", "read")
def test_each_prompt_gets_n_samples(llm: "LLM", model: str) -> None:
    samples = page.read(page.generate(llm, page.PROMPTS, n=4, max_tokens=12))
    assert [sample.group for sample in samples] == [0] * 4 + [1] * 4
    tokenizer = AutoTokenizer.from_pretrained(model)
    for sample in samples:
        message = {"role": "user", "content": page.PROMPTS[sample.group]}
        prompt = tokenizer.apply_chat_template([message], add_generation_prompt=True, tokenize=False)
        assert sample.prompt_ids == tokenizer.encode(prompt, add_special_tokens=False)
        assert 0 < len(sample.token_ids) <= 12
        text = tokenizer.decode(sample.token_ids, skip_special_tokens=True)
        assert sample.text == text.rstrip("\ufffd")  # vLLM holds back the bytes of a character cut in two
        assert len(sample.logprobs) == len(sample.token_ids)
        assert all(logprob <= 0 for logprob in sample.logprobs)
    for group in (samples[:4], samples[4:]):
        assert len({tuple(sample.token_ids) for sample in group}) > 1, "a group of equal samples has no advantage"


@pytest.mark.block("tutorial/first_rollout.py", "build_engine", "generate", "read")
def test_logprobs_belong_to_the_distribution_sampled_from(
    llm: "LLM", reference: Any, accelerator: str, evidence: Any
) -> None:
    samples = page.read(page.generate(llm, page.PROMPTS, n=2, temperature=0.7, max_tokens=12))
    worst = 0.0
    for sample in samples:
        by_token = expected(reference, sample, 0.7)
        sampled = by_token[range(len(sample.token_ids)), sample.token_ids]
        worst = max(worst, float((sampled - torch.tensor(sample.logprobs)).abs().max()))
    if accelerator in DTYPE:
        evidence.passed(dtype=DTYPE[accelerator])
    evidence.measured(largest_logprob_difference_to_transformers=worst)
    assert worst < TOLERANCE.get(accelerator, 0.25)


@pytest.mark.block("tutorial/first_rollout.py", "generate")
def test_greedy_takes_the_most_likely_token(llm: "LLM", reference: Any, accelerator: str) -> None:
    for sample in page.read(page.generate(llm, page.PROMPTS, n=1, temperature=0, max_tokens=12)):
        by_token = expected(reference, sample, 1.0)
        behind = by_token.max(dim=-1).values - by_token[range(len(sample.token_ids)), sample.token_ids]
        assert float(behind.max()) < TOLERANCE.get(accelerator, 0.25)


@pytest.mark.block("tutorial/first_rollout.py", "generate")
def test_the_seed_decides_the_tokens(llm: "LLM") -> None:
    def tokens(seed: int) -> list[list[int]]:
        outputs = page.generate(llm, page.PROMPTS, n=2, max_tokens=12, seed=seed)
        return [sample.token_ids for sample in page.read(outputs)]

    assert tokens(7) == tokens(7)
    assert tokens(7) != tokens(8)


@pytest.mark.block("tutorial/first_rollout.py", "report")
def test_report_counts_what_was_generated(llm: "LLM", capsys: pytest.CaptureFixture[str]) -> None:
    page.report(llm, n=3, max_tokens=8)
    *lines, last = capsys.readouterr().out.splitlines()
    samples = page.read(page.generate(llm, page.PROMPTS, n=3, max_tokens=8))
    assert lines == [f"prompt {s.group}, {len(s.token_ids)} tokens, log-prob {sum(s.logprobs):.1f}" for s in samples]
    assert last.startswith(f"6 samples, {sum(len(s.token_ids) for s in samples)} tokens in ")


@pytest.mark.block("tutorial/first_rollout.py", "report")
def test_throughput_is_generated_tokens_a_second() -> None:
    samples = [page.Sample(0, [1, 2], [3] * length, [-0.1] * length, "") for length in (3, 5)]
    assert page.throughput(samples, 2.0) == "2 samples, 8 tokens in 2.00 s: 4 tokens/s"
