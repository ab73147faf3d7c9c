"""Megatron's arguments, as slime's scripts have them, in the names of Hugging Face's ``config.json``."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

ARCHITECTURES = {
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
    "qwen3_next": "Qwen3NextForCausalLM",
    "qwen3_vl": "Qwen3VLForConditionalGeneration",
    "qwen3_vl_moe": "Qwen3VLMoeForConditionalGeneration",
    "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
    "qwen3_5": "Qwen3_5ForConditionalGeneration",
    "qwen3_5_moe": "Qwen3_5MoeForConditionalGeneration",
    "llama": "LlamaForCausalLM",
    "mimo": "MiMoForCausalLM",
    "glm4": "Glm4ForCausalLM",
    "glm4_moe": "Glm4MoeForCausalLM",
    "deepseek_v3": "DeepseekV3ForCausalLM",
}
# Megatron's argument -> Hugging Face's name
NAMES = {
    "num-layers": "num_hidden_layers",
    "hidden-size": "hidden_size",
    "ffn-hidden-size": "intermediate_size",
    "num-attention-heads": "num_attention_heads",
    "num-query-groups": "num_key_value_heads",
    "kv-channels": "head_dim",
    "vocab-size": "vocab_size",
    "rotary-base": "rope_theta",
    "norm-epsilon": "rms_norm_eps",
    "num-experts": "num_experts",
    "moe-router-topk": "num_experts_per_tok",
    "moe-ffn-hidden-size": "moe_intermediate_size",
    "moe-shared-expert-intermediate-size": "shared_expert_intermediate_size",
    "q-lora-rank": "q_lora_rank",
    "kv-lora-rank": "kv_lora_rank",
    "qk-head-dim": "qk_nope_head_dim",
    "qk-pos-emb-head-dim": "qk_rope_head_dim",
    "v-head-dim": "v_head_dim",
    "moe-router-num-groups": "n_group",
    "moe-router-group-topk": "topk_group",
    "moe-router-topk-scaling-factor": "routed_scaling_factor",
}


def arguments(script: Path) -> dict[str, str]:
    """Megatron's arguments of one script, expanded by bash; a flag without a value is an empty text."""
    command = f'source "{script}" && printf "%s\\n" "${{MODEL_ARGS[@]}}"'
    words = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.splitlines()
    result, name = {}, ""
    for word in words:
        if word.startswith("--"):
            name = word[2:]
            result[name] = ""
        elif not result[name]:
            result[name] = word
    return result


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() and "e" not in text else value


def translate(values: Mapping[str, str], family: str, context: int) -> dict[str, JsonValue]:
    """Hugging Face's config of a language model from Megatron's arguments; ``context`` in tokens."""
    numbers = {new: _number(values[old]) for old, new in NAMES.items() if old in values}
    numbers.setdefault("num_key_value_heads", numbers["num_attention_heads"])
    more: dict[str, JsonValue] = {
        "model_type": family,
        "max_position_embeddings": context,
        "torch_dtype": "bfloat16",
        "tie_word_embeddings": "untie-embeddings-and-output-weights" not in values,
    }
    if family in ("deepseek_v3", "glm4_moe"):
        shared = numbers.pop("shared_expert_intermediate_size") // numbers["moe_intermediate_size"]
        more |= {"n_routed_experts": numbers.pop("num_experts"), "n_shared_experts": shared}
    if family == "deepseek_v3":
        del numbers["head_dim"]
        more |= {
            "q_lora_rank": numbers.pop("q_lora_rank", None),
            "first_k_dense_replace": values["moe-layer-freq"].replace(" ", "").count("0"),
        }
    if family == "glm4_moe":
        more |= {"first_k_dense_replace": 1}
    if family in ("glm4", "glm4_moe"):
        more |= {"attention_bias": True, "partial_rotary_factor": 0.5}
    if family in ("qwen3_5", "qwen3_5_moe", "qwen3_next"):
        more |= {"full_attention_interval": 4, "partial_rotary_factor": 0.25}
    return {**numbers, **more}


def nested(text: Mapping[str, JsonValue], family: str) -> dict[str, JsonValue]:
    """The config of a vision-language family: the language model inside, the vision tower by transformers' defaults."""
    sections: list[JsonValue] = [11, 11, 10] if family.startswith("qwen3_5") else [24, 20, 20]
    if family == "qwen2_5_vl":
        sections = [16, 24, 24]
    rope: dict[str, JsonValue] = {"rope_type": "default", "rope_theta": text["rope_theta"], "mrope_section": sections}
    if "partial_rotary_factor" in text:
        rope["partial_rotary_factor"] = text["partial_rotary_factor"]
    inner = {name: value for name, value in text.items() if name != "rope_theta"}
    return {
        "model_type": family,
        "tie_word_embeddings": text["tie_word_embeddings"],
        "text_config": inner | {"model_type": f"{family}_text", "rope_parameters": rope},
        "vision_config": {"out_hidden_size": text["hidden_size"]},
    }
