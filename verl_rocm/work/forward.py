"""What one GPU reads, computes and sends in a forward pass."""

from __future__ import annotations

from dataclasses import dataclass

from .shape import Shape


@dataclass(frozen=True)
class Split:
    """How a model lies on GPUs and in memory; bytes of one weight, one KV cache value and one activation."""

    tensor_parallel: int = 1
    weight_bytes: float = 2.0
    kv_bytes: float = 2.0
    activation_bytes: float = 2.0


@dataclass(frozen=True)
class Batch:
    """What goes through in one pass.

    ``tokens`` are computed (padding included), ``outputs`` of them make a token, ``context`` tokens of KV cache are
    read, ``pairs`` of tokens attend to each other.
    """

    tokens: int
    outputs: int
    context: int
    pairs: int


@dataclass(frozen=True)
class Work:
    """Of one GPU in one pass: bytes from memory, operations of the matrix cores, bytes and number of all-reduces."""

    weight_bytes: float
    kv_bytes: float
    operations: float
    reduced_bytes: float
    reductions: int

    @property
    def read_bytes(self) -> float:
        """All bytes from memory."""
        return self.weight_bytes + self.kv_bytes


def kv_bytes_a_token(shape: Shape, split: Split) -> float:
    """KV cache of one token on one GPU; vLLM copies KV heads where there are fewer of them than GPUs."""
    heads = max(shape.kv_heads / split.tensor_parallel, 1)
    return 2 * shape.layers * heads * shape.head * split.kv_bytes


def experts_read(shape: Shape, tokens: int) -> float:
    """Experts of a layer that at least one of ``tokens`` tokens is sent to, if each is as likely as the others."""
    return shape.experts * (1 - (1 - shape.experts_a_token / shape.experts) ** tokens)


def forward(shape: Shape, split: Split, batch: Batch) -> Work:
    """The work of one GPU: matrices split over ``tensor_parallel``, two all-reduces a layer."""
    ways = split.tensor_parallel
    mlp = shape.mlp_weights * (experts_read(shape, batch.tokens) if shape.experts else 1) + shape.hidden * shape.experts
    weights = shape.layers * (shape.attention_weights + mlp) + shape.head_weights
    products = 2 * shape.active * batch.tokens + 2 * shape.head_weights * batch.outputs
    attention = 4 * shape.layers * shape.heads * shape.head * batch.pairs
    reductions = 2 * shape.layers if ways > 1 else 0
    return Work(
        weight_bytes=weights * split.weight_bytes / ways,
        kv_bytes=batch.context * kv_bytes_a_token(shape, split),
        operations=(products + attention) / ways,
        reduced_bytes=reductions * batch.tokens * shape.hidden * split.activation_bytes,
        reductions=reductions,
    )


def training_operations(shape: Shape, tokens: int, pairs: int, passes: float) -> float:
    """Operations of ``passes`` forward passes over all GPUs; a backward pass counts as two, recomputing as one.

    As verl's ``flops_counter`` counts them (0.9.1: 6 a weight and token for forward and backward), with the attention
    of a causal mask, which is half of what it counts.
    """
    products = 2 * (shape.active + shape.head_weights) * tokens
    return passes * (products + 4 * shape.layers * shape.heads * shape.head * pairs)
