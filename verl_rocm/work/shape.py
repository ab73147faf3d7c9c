"""The sizes of a decoder with grouped-query attention, dense or with experts, from its ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class ShapeError(Exception):
    """A model whose work is not known; one line: which, why, what to do."""


# Decoders of which every layer has grouped-query attention over all tokens, and one MLP or routed experts alone.
PLAIN = ("llama", "mimo", "ministral3", "mistral", "qwen2", "qwen3", "qwen3_moe", "seed_oss")
PLAIN_TEXT = ("qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")  # the text part of these; the encoder is left out


@dataclass(frozen=True)
class Shape:
    """Numbers of a model; ``experts`` 0 for a dense one."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int
    tied: bool
    experts: int = 0
    experts_a_token: int = 0

    @classmethod
    def of(cls, config: Mapping[str, object], name: str) -> Shape:
        """The shape of a ``config.json``; ``name`` is the model's, for the error.

        Raises:
            ShapeError: a kind of model whose work is not known, or a size that is missing.
        """
        kind = config.get("model_type")
        if kind not in (*PLAIN, *PLAIN_TEXT):
            raise ShapeError(f"{name}: the work of a {kind} model is not known; known are {', '.join(PLAIN)}")
        text = config.get("text_config")
        sizes = text if isinstance(text, Mapping) else config

        def size(key: str, default: int | None = None) -> int:
            value = sizes.get(key, default)
            if not isinstance(value, int):
                raise ShapeError(f"{name}: its config has no {key}; give a complete config.json")
            return value

        heads = size("num_attention_heads")
        experts = size("num_experts", 0)
        return cls(
            layers=size("num_hidden_layers"),
            hidden=size("hidden_size"),
            intermediate=size("moe_intermediate_size") if experts else size("intermediate_size"),
            heads=heads,
            kv_heads=size("num_key_value_heads", heads),
            head=size("head_dim", size("hidden_size") // heads),
            vocabulary=size("vocab_size"),
            tied=bool(sizes.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
            experts=experts,
            experts_a_token=size("num_experts_per_tok") if experts else 0,
        )

    @property
    def attention_weights(self) -> int:
        """Of one layer: queries, keys and values, output."""
        return self.hidden * self.head * (2 * self.heads + 2 * self.kv_heads)

    @property
    def mlp_weights(self) -> int:
        """Of one layer, or of one expert: gate, up and down."""
        return 3 * self.hidden * self.intermediate

    @property
    def head_weights(self) -> int:
        """The last product, hidden to vocabulary; read in every step, tied or not."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All weights of the products and the embedding; norms and biases are left out (below 0.1 %)."""
        mlp = self.mlp_weights * max(self.experts, 1) + self.hidden * self.experts
        embedding = 0 if self.tied else self.head_weights
        return self.layers * (self.attention_weights + mlp) + self.head_weights + embedding

    @property
    def active(self) -> int:
        """Weights that one token is multiplied with, the last product left out."""
        mlp = self.mlp_weights * max(self.experts_a_token, 1) + self.hidden * self.experts
        return self.layers * (self.attention_weights + mlp)
