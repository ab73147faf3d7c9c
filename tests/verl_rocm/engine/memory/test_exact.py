"""What is weighed is what the real CPU engine reports, to the byte and the block.

A wrong sum over tensors, a layer without its KV cache, a block size that the platform would change, or a rank that
holds all heads makes these fail.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verl_rocm.engine.memory import architectures, engine
from verl_rocm.memory.rollout import Weighed
from verl_rocm.worker import serve

BUDGET = 48 * 2**20 + 12345  # bytes, no multiple of any block
KINDS = {
    "MLA": {"MLAAttention"},
    "sliding window": {"SlidingWindow", "FullAttention"},
    "hybrid linear attention": {"Mamba", "FullAttention"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    serve.inspect_here()  # the VLM's file imports torchvision, which this environment lacks
    return tmp_path_factory.mktemp("models")


@pytest.mark.parametrize(
    ("name", "ranks"),
    [*((name, 1) for name in architectures.FAMILIES), ("GQA", 2), ("MoE", 2)],
)
def test_engine_holds_what_was_weighed(name: str, ranks: int, folder: Path) -> None:
    model = architectures.make(name, folder)
    # A VLM's checkpoint of this transformers has names that this vLLM's tower does not know; sizes are the same.
    more = {"load_format": "dummy"} if name == "VLM" else {}
    options = engine.arguments(model, BUDGET, ranks, **more)
    outcome = engine.weighed(options, BUDGET)
    assert isinstance(outcome, Weighed), outcome
    started = engine.start(options)
    (holding,) = outcome.holdings
    assert (holding.blocks, holding.tokens) == (started.blocks, started.tokens)
    assert started.weights == (outcome.weights.total,) * ranks
    assert {group.kind for group in outcome.groups} == KINDS.get(name, {"FullAttention"})


def test_the_smallest_cache_is_the_smallest_with_which_vllm_starts(folder: Path) -> None:
    for name in architectures.FAMILIES:
        options = engine.arguments(architectures.make(name, folder), BUDGET)
        first = engine.weighed(options)
        assert isinstance(first, Weighed), (name, first)
        outcome = engine.weighed(options, first.needed - 1, first.needed)
        assert isinstance(outcome, Weighed)
        assert [holding.blocks > 0 for holding in outcome.holdings] == [False, True], name


def test_more_memory_never_holds_less(folder: Path) -> None:
    for name in architectures.FAMILIES:
        options = engine.arguments(architectures.make(name, folder), BUDGET)
        budgets = sorted({0, 1, *(7919 * step**3 for step in range(1, 60))})
        outcome = engine.weighed(options, *budgets)
        assert isinstance(outcome, Weighed), (name, outcome)
        for one, other in zip(outcome.holdings, outcome.holdings[1:], strict=False):
            assert one.tokens <= other.tokens and one.blocks <= other.blocks, name
            assert one.longest <= other.longest and one.half_response <= other.half_response, name
        assert outcome.holdings[0].tokens == 0 and outcome.holdings[-1].tokens > 0, name


def test_unknown_architecture_is_one_line(tmp_path: Path) -> None:
    config = architectures.FAMILIES["GQA"][1]()
    config.architectures = ["Qwen2ForCausalLM"]
    config.num_key_value_heads = 3  # vLLM resolves it, and its model refuses
    config.save_pretrained(tmp_path)
    outcome = engine.weighed(engine.arguments(tmp_path, BUDGET, 2), BUDGET)
    assert outcome.result == "unweighed" and "\n" not in outcome.reason and outcome.reason
