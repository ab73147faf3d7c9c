"""Tiny random models of the architectures whose KV caches differ, each saved as a checkpoint that vLLM loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from guide.doctest import tiny_model

VOCABULARY = 320
IMAGE = 3  # the token that stands for an image: the first after the special ones
# Sizes that all families share: two layers of hidden size 128, four heads.
COMMON: dict[str, int | None] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 4096,
    "bos_token_id": None,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def _qwen2(heads: int, tied: bool = False) -> Any:
    return transformers.Qwen2Config(**COMMON, num_key_value_heads=heads, tie_word_embeddings=tied)


def _qwen3_moe() -> Any:
    return transformers.Qwen3MoeConfig(
        **COMMON, head_dim=32, num_key_value_heads=2, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=64
    )


def _deepseek_v2() -> Any:
    return transformers.DeepseekV2Config(
        **COMMON,
        num_key_value_heads=4,
        kv_lora_rank=512,
        q_lora_rank=None,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        n_routed_experts=4,
        num_experts_per_tok=2,
        n_shared_experts=1,
        moe_intermediate_size=64,
        first_k_dense_replace=1,
        topk_method="greedy",
        n_group=1,
        topk_group=1,
    )


def _gemma3() -> Any:
    sizes = COMMON | {"num_hidden_layers": 4}
    kinds = ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"]
    return transformers.Gemma3TextConfig(
        **sizes, head_dim=32, num_key_value_heads=2, sliding_window=64, layer_types=kinds
    )


def _qwen3_next() -> Any:
    sizes = COMMON | {"num_hidden_layers": 4}
    return transformers.Qwen3NextConfig(
        **sizes,
        head_dim=64,
        num_key_value_heads=2,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_key_head_dim=32,
        linear_value_head_dim=32,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=64,
        shared_expert_intermediate_size=64,
    )


def _llava() -> Any:
    vision = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    text = transformers.LlamaConfig(**COMMON, num_key_value_heads=2)
    return transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**vision), text_config=text, image_token_index=IMAGE
    )


FAMILIES: dict[str, tuple[str, Callable[[], Any]]] = {
    "MHA": ("Qwen2ForCausalLM", lambda: _qwen2(4)),
    "GQA": ("Qwen2ForCausalLM", lambda: _qwen2(2)),
    "tied embeddings": ("Qwen2ForCausalLM", lambda: _qwen2(2, tied=True)),
    "MoE": ("Qwen3MoeForCausalLM", _qwen3_moe),
    "MLA": ("DeepseekV2ForCausalLM", _deepseek_v2),
    "sliding window": ("Gemma3ForCausalLM", _gemma3),
    "hybrid linear attention": ("Qwen3NextForCausalLM", _qwen3_next),
    "VLM": ("LlavaForConditionalGeneration", _llava),
}


def _processor(target: Path) -> None:
    """A tokenizer and an image processor, which vLLM asks how many tokens an image takes."""
    tokenizer = tiny_model._tokenizer(VOCABULARY)
    tokenizer.add_special_tokens({"additional_special_tokens": [tokenizer.convert_ids_to_tokens(IMAGE)]})
    size = {"height": 28, "width": 28}
    images = transformers.CLIPImageProcessorPil(size=size, crop_size=size)
    transformers.LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        image_token=tokenizer.convert_ids_to_tokens(IMAGE),
        num_additional_image_tokens=1,
    ).save_pretrained(target)


def make(name: str, folder: Path) -> Path:
    """The model ``name`` of :data:`FAMILIES` in a folder of its own."""
    kind, config = FAMILIES[name]
    target = folder / name.replace(" ", "-")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        getattr(transformers, kind)(config()).to(torch.bfloat16).save_pretrained(target)
    if name == "VLM":
        _processor(target)
    return target
