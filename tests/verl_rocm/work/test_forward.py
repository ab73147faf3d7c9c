"""Bytes and operations of known models; fails if a matrix, a KV head or an expert is counted wrongly."""

from __future__ import annotations

import json

import pytest

from verl_rocm.facts.releases import HERE
from verl_rocm.work.forward import Batch, Split, experts_read, forward, kv_bytes_a_token, training_operations
from verl_rocm.work.shape import Shape, ShapeError


def shape(name: str) -> Shape:
    """The shape of a bundled model."""
    return Shape.of(json.loads((HERE / "models" / f"{name}.json").read_text())["config"], name)


DENSE, MOE = shape("Qwen2.5-7B-Instruct"), shape("Qwen3-30B-A3B")


# GiB that vLLM 0.30.0's own model class holds on the meta device (issue 14): 14.193, and 4 x 109.554.
@pytest.mark.parametrize(("name", "gib"), [("Qwen2.5-7B-Instruct", 14.193), ("Qwen3-235B-A22B", 438.216)])
def test_parameters_are_those_of_vllms_model(name: str, gib: float) -> None:
    assert shape(name).parameters * 2 / 2**30 == pytest.approx(gib, rel=0.001)


def test_a_token_of_a_mixture_meets_three_of_thirty_billion_weights() -> None:
    assert MOE.parameters / 1e9 == pytest.approx(30.5, rel=0.01)
    assert (MOE.active + MOE.head_weights) / 1e9 == pytest.approx(3.04, rel=0.01)


def test_kv_cache_of_a_token() -> None:
    assert kv_bytes_a_token(DENSE, Split()) == 2 * 28 * 4 * 128 * 2 == 57344
    assert kv_bytes_a_token(DENSE, Split(tensor_parallel=4)) == 57344 / 4
    assert kv_bytes_a_token(DENSE, Split(tensor_parallel=8)) == 57344 / 4  # four heads for eight GPUs: copied
    assert kv_bytes_a_token(DENSE, Split(kv_bytes=1)) == 57344 / 2


def test_a_decode_reads_all_weights_but_the_embedding_and_the_context() -> None:
    work = forward(DENSE, Split(), Batch(tokens=8, outputs=8, context=8000, pairs=8000))
    assert work.weight_bytes == 2 * (DENSE.parameters - DENSE.head_weights)
    assert work.kv_bytes == 8000 * 57344
    products = 2 * 8 * (DENSE.active + DENSE.head_weights)
    assert work.operations == products + 4 * 28 * 28 * 128 * 8000
    assert (work.reductions, work.reduced_bytes) == (0, 0)


def test_tensor_parallel_splits_the_work_and_adds_two_reductions_a_layer() -> None:
    batch = Batch(tokens=8, outputs=8, context=8000, pairs=8000)
    one, four = forward(DENSE, Split(), batch), forward(DENSE, Split(tensor_parallel=4), batch)
    assert four.read_bytes == pytest.approx(one.read_bytes / 4)
    assert four.operations == pytest.approx(one.operations / 4)
    assert (four.reductions, four.reduced_bytes) == (56, 56 * 8 * 3584 * 2)


@pytest.mark.parametrize(("tokens", "experts"), [(1, 8), (10_000, 128)])
def test_experts_that_a_batch_reads(tokens: int, experts: float) -> None:
    assert experts_read(MOE, tokens) == pytest.approx(experts)


def test_more_tokens_read_more_experts_but_never_more_than_there_are() -> None:
    counts = [experts_read(MOE, tokens) for tokens in (1, 2, 16, 64, 512)]
    assert counts == sorted(counts) and counts[-1] <= 128


def test_training_counts_six_operations_a_weight_and_token() -> None:
    tokens = 1000
    assert training_operations(DENSE, tokens, 0, 3) == 6 * (DENSE.active + DENSE.head_weights) * tokens


@pytest.mark.parametrize(
    ("name", "kind"), [("DeepSeek-V3", "deepseek_v3"), ("Qwen3-Next-80B-A3B-Instruct", "qwen3_next")]
)
def test_a_kind_of_model_whose_work_is_not_known(name: str, kind: str) -> None:
    with pytest.raises(ShapeError) as caught:
        shape(name)
    assert str(caught.value).startswith(f"{name}: the work of a {kind} model is not known; known are llama, mimo, ")


def test_a_config_without_a_size() -> None:
    with pytest.raises(ShapeError, match=r"^x: its config has no num_hidden_layers; give a complete config\.json$"):
        Shape.of({"model_type": "qwen2", "num_attention_heads": 2, "hidden_size": 8}, "x")
