"""Write ``verl_rocm/facts/models/*.json``: architecture configs of the models that verl's examples name, offline.

``python -m tools.model_configs SLIME XINFERENCE`` reads ``scripts/models/*.sh`` of a checkout of THUDM/slime, in which
each model's architecture stands as Megatron arguments, lets bash expand them, and turns them into Hugging Face's names.
Models that transformers describes by the defaults of its own class need none.  The few numbers that neither has are
typed below with their source.  A dry run reads sizes, heads, experts and context length; a vision tower plays no part.

The context lengths below were typed.  Where slime, transformers or the list of xorbitsai/inference states the same
length for that model, the entry says where; the others have no source, and ``--models`` marks them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "verl_rocm" / "facts" / "models"
TRANSFORMERS = "5.10.4"
Config = dict[str, Any]

# name on the hub, slime's file, family, context length (max_position_embeddings of the model's own config), changes
FROM_SLIME: list[tuple[str, str, str, int, Config]] = [
    ("Qwen/Qwen2.5-0.5B", "qwen2.5-0.5B", "qwen2", 32768, {}),
    ("Qwen/Qwen2.5-0.5B-Instruct", "qwen2.5-0.5B", "qwen2", 32768, {}),
    ("Qwen/Qwen2.5-1.5B-Instruct", "qwen2.5-1.5B", "qwen2", 32768, {}),
    ("Qwen/Qwen2.5-3B-Instruct", "qwen2.5-3B", "qwen2", 32768, {}),
    ("Qwen/Qwen2.5-7B", "qwen2.5-7B", "qwen2", 131072, {}),
    ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7B", "qwen2", 32768, {}),
    ("Qwen/Qwen2.5-Math-7B", "qwen2.5-7B", "qwen2", 4096, {"rope_theta": 10000}),
    ("Qwen/Qwen2.5-32B", "qwen2.5-32B", "qwen2", 131072, {}),
    ("Qwen/Qwen2.5-32B-Instruct", "qwen2.5-32B", "qwen2", 32768, {}),
    ("Qwen/Qwen3-0.6B", "qwen3-0.6B", "qwen3", 40960, {}),
    ("Qwen/Qwen3-1.7B", "qwen3-1.7B", "qwen3", 40960, {}),
    ("Qwen/Qwen3-4B", "qwen3-4B", "qwen3", 40960, {}),
    ("Qwen/Qwen3-4B-Instruct-2507", "qwen3-4B-Instruct-2507", "qwen3", 262144, {}),
    ("Qwen/Qwen3-8B", "qwen3-8B", "qwen3", 40960, {}),
    ("Qwen/Qwen3-8B-Base", "qwen3-8B", "qwen3", 32768, {}),
    ("Qwen/Qwen3-14B", "qwen3-14B", "qwen3", 40960, {}),
    ("Qwen/Qwen3-32B", "qwen3-32B", "qwen3", 40960, {}),
    ("Qwen/Qwen3-30B-A3B", "qwen3-30B-A3B", "qwen3_moe", 40960, {}),
    ("Qwen/Qwen3-30B-A3B-Base", "qwen3-30B-A3B", "qwen3_moe", 32768, {}),
    ("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3-30B-A3B", "qwen3_moe", 262144, {"rope_theta": 10000000}),
    ("Qwen/Qwen3-235B-A22B", "qwen3-235B-A22B", "qwen3_moe", 40960, {}),
    ("Qwen/Qwen3-235B-A22B-Instruct-2507", "qwen3-235B-A22B", "qwen3_moe", 262144, {"rope_theta": 5000000}),
    ("Qwen/Qwen3-Next-80B-A3B-Instruct", "qwen3-next-80B-A3B", "qwen3_next", 262144, {}),
    ("Qwen/Qwen3-VL-4B-Instruct", "qwen3-4B", "qwen3_vl", 262144, {"rope_theta": 5000000}),
    ("Qwen/Qwen3-VL-8B-Instruct", "qwen3-8B", "qwen3_vl", 262144, {"rope_theta": 5000000}),
    ("Qwen/Qwen3-VL-2B-Instruct", "qwen3-1.7B", "qwen3_vl", 262144, {"rope_theta": 5000000}),
    ("Qwen/Qwen3-VL-32B-Instruct", "qwen3-32B", "qwen3_vl", 262144, {"rope_theta": 5000000}),
    ("Qwen/Qwen3-VL-30B-A3B-Instruct", "qwen3-30B-A3B", "qwen3_vl_moe", 262144, {"rope_theta": 5000000}),
    ("Qwen/Qwen3-VL-235B-A22B-Instruct", "qwen3-235B-A22B", "qwen3_vl_moe", 262144, {"rope_theta": 5000000}),
    ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-7B", "qwen2_5_vl", 128000, {}),
    ("Qwen/Qwen2.5-VL-3B-Instruct", "qwen2.5-3B", "qwen2_5_vl", 128000, {}),
    ("Qwen/Qwen3.5-0.8B", "qwen3.5-0.8B", "qwen3_5", 262144, {"linear_num_value_heads": 16}),
    ("Qwen/Qwen3.5-4B", "qwen3.5-4B", "qwen3_5", 262144, {"linear_num_value_heads": 32}),
    ("Qwen/Qwen3.5-9B", "qwen3.5-9B", "qwen3_5", 262144, {"linear_num_value_heads": 32}),
    ("Qwen/Qwen3.5-27B", "qwen3.5-27B", "qwen3_5", 262144, {"linear_num_value_heads": 48}),
    ("Qwen/Qwen3.5-35B-A3B", "qwen3.5-35B-A3B", "qwen3_5_moe", 262144, {"linear_num_value_heads": 32}),
    ("meta-llama/Llama-3.1-8B-Instruct", "llama3.1-8B-Instruct", "llama", 131072, {}),
    ("meta-llama/Llama-3.2-3B-Instruct", "llama3.2-3B-Instruct", "llama", 131072, {}),
    ("XiaomiMiMo/MiMo-7B-RL", "mimo-7B-rl", "mimo", 32768, {}),
    ("zai-org/GLM-4-9B-0414", "glm4-9B", "glm4", 32768, {}),
    ("zai-org/GLM-4.5-Air", "glm4.5-106B-A12B", "glm4_moe", 131072, {}),
    ("deepseek-ai/DeepSeek-V3", "deepseek-v3", "deepseek_v3", 163840, {}),
    ("moonshotai/Moonlight-16B-A3B", "moonlight", "deepseek_v3", 8192, {}),
]

# Models whose numbers are the defaults of transformers' own class, which names them as its checkpoint.
DEFAULTS: list[tuple[str, str, Config]] = [
    (
        "zai-org/GLM-4.1V-9B-Thinking",
        "glm4v",
        {
            "architectures": ["Glm4vForConditionalGeneration"],
            "text_config": {
                "max_position_embeddings": 65536,
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 10000.0,
                    "mrope_section": [8, 12, 12],
                    "partial_rotary_factor": 0.5,
                },
            },
        },
    ),
    ("ByteDance-Seed/Seed-OSS-36B-Base", "seed_oss", {"architectures": ["SeedOssForCausalLM"]}),
    ("tencent/Hy3", "hy_v3", {"architectures": ["HYV3ForCausalLM"]}),
    # Written out, because vLLM reads this family with a class of its own that has no such defaults.
    (
        "deepseek-ai/DeepSeek-V4-Flash",
        "deepseek_v4",
        {
            "architectures": ["DeepseekV4ForCausalLM"],
            "num_hidden_layers": 43,
            "hidden_size": 4096,
            "vocab_size": 129280,
            "num_attention_heads": 64,
            "num_key_value_heads": 1,
            "head_dim": 512,
            "q_lora_rank": 1024,
            "o_lora_rank": 1024,
            "o_groups": 8,
            "qk_rope_head_dim": 64,
            "n_routed_experts": 256,
            "n_shared_experts": 1,
            "num_hash_layers": 3,
            "num_experts_per_tok": 6,
            "moe_intermediate_size": 2048,
            "norm_topk_prob": True,
            "swiglu_limit": 10.0,
            "routed_scaling_factor": 1.5,
            "scoring_func": "sqrtsoftplus",
            "sliding_window": 128,
            "index_n_heads": 64,
            "index_head_dim": 128,
            "index_topk": 512,
            "hc_mult": 4,
            "hc_sinkhorn_iters": 20,
            "hc_eps": 1e-06,
            "rms_norm_eps": 1e-06,
            "hidden_act": "silu",
            "max_position_embeddings": 1048576,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
        },
    ),
]

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


def translate(values: dict[str, str], family: str, context: int) -> Config:
    """Hugging Face's config of a language model from Megatron's arguments."""
    entries: Config = {new: _number(values[old]) for old, new in NAMES.items() if old in values}
    entries |= {
        "model_type": family,
        "max_position_embeddings": context,
        "torch_dtype": "bfloat16",
        "tie_word_embeddings": "untie-embeddings-and-output-weights" not in values,
    }
    entries.setdefault("num_key_value_heads", entries["num_attention_heads"])
    if family == "deepseek_v3":
        shared = entries.pop("shared_expert_intermediate_size") // entries["moe_intermediate_size"]
        entries |= {
            "n_routed_experts": entries.pop("num_experts"),
            "n_shared_experts": shared,
            "q_lora_rank": entries.get("q_lora_rank"),
            "first_k_dense_replace": values["moe-layer-freq"].replace(" ", "").count("0"),
        }
        entries.pop("head_dim")
    if family == "glm4_moe":
        shared = entries.pop("shared_expert_intermediate_size") // entries["moe_intermediate_size"]
        entries |= {
            "n_routed_experts": entries.pop("num_experts"),
            "n_shared_experts": shared,
            "first_k_dense_replace": 1,
        }
    if family in ("glm4", "glm4_moe"):
        entries |= {"attention_bias": True, "partial_rotary_factor": 0.5}
    if family in ("qwen3_5", "qwen3_5_moe", "qwen3_next"):
        entries |= {"full_attention_interval": 4, "partial_rotary_factor": 0.25}
    return entries


def nested(text: Config, family: str) -> Config:
    """The config of a vision-language family: the language model inside, the vision tower by transformers' defaults."""
    theta = text.pop("rope_theta")
    sections = {"qwen2_5_vl": [16, 24, 24], "qwen3_5": [11, 11, 10], "qwen3_5_moe": [11, 11, 10]}.get(
        family, [24, 20, 20]
    )
    rope = {"rope_type": "default", "rope_theta": theta, "mrope_section": sections}
    if "partial_rotary_factor" in text:
        rope["partial_rotary_factor"] = text["partial_rotary_factor"]
    text = text | {"model_type": f"{family}_text", "rope_parameters": rope}
    vision = {"out_hidden_size": text["hidden_size"]}
    return {
        "model_type": family,
        "tie_word_embeddings": text["tie_word_embeddings"],
        "text_config": text,
        "vision_config": vision,
    }


def qwen35(family: str, layers: int, size: int, heads: int, kv: int, values: int, more: Config) -> Config:
    """A Qwen3.5 config: what its sizes share, and ``more``."""
    text: Config = {
        "num_hidden_layers": layers,
        "hidden_size": size,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "linear_num_value_heads": values,
        "head_dim": 256,
        "vocab_size": 248320,
        "max_position_embeddings": 262144,
        "rope_theta": 10000000,
        "partial_rotary_factor": 0.25,
        "full_attention_interval": 4,
        "rms_norm_eps": 1e-06,
        "intermediate_size": more.get("moe_intermediate_size", 0),
        "tie_word_embeddings": False,
    }
    return nested(text | more, family) | {"architectures": [ARCHITECTURES[family]]}


# Numbers that neither has: config.json of the model on its hub, as its authors' papers and cards give them.
TYPED: list[tuple[str, str, Config]] = [
    (
        "deepseek-ai/deepseek-llm-7b-chat",
        "DeepSeek LLM paper, arXiv 2401.02954, table 2",
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "num_hidden_layers": 30,
            "hidden_size": 4096,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
            "intermediate_size": 11008,
            "vocab_size": 102400,
            "max_position_embeddings": 4096,
            "tie_word_embeddings": False,
            "rms_norm_eps": 1e-06,
        },
    ),
    (
        "mistralai/Mistral-Nemo-Instruct-2407",
        "model card: 40 layers, dim 5120, head dim 128, 32 heads, 8 kv",
        {
            "architectures": ["MistralForCausalLM"],
            "model_type": "mistral",
            "num_hidden_layers": 40,
            "hidden_size": 5120,
            "head_dim": 128,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "intermediate_size": 14336,
            "vocab_size": 131072,
            "max_position_embeddings": 131072,
            "tie_word_embeddings": False,
            "rope_theta": 1000000.0,
            "sliding_window": None,
        },
    ),
    (
        "openai/gpt-oss-20b",
        "model card, arXiv 2508.10925: 24 layers, 2880, 64 heads, 8 kv, 32 experts, 4 active",
        {
            "architectures": ["GptOssForCausalLM"],
            "model_type": "gpt_oss",
            "num_hidden_layers": 24,
            "hidden_size": 2880,
            "num_attention_heads": 64,
            "num_key_value_heads": 8,
            "head_dim": 64,
            "intermediate_size": 2880,
            "num_local_experts": 32,
            "num_experts_per_tok": 4,
            "vocab_size": 201088,
            "max_position_embeddings": 131072,
            "sliding_window": 128,
        },
    ),
    (
        "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        "NVIDIA-NeMo/Megatron-Bridge 067f987, recipes/nemotronh/h100/"
        "nemotron_3_nano.py, and tests/unit_tests/models/nemotronh/test_nemotron_h_bridge.py for the Mamba layers",
        {
            "architectures": ["NemotronHForCausalLM"],
            "model_type": "nemotron_h",
            "num_hidden_layers": 52,
            "hybrid_override_pattern": "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME",
            "hidden_size": 2688,
            "num_attention_heads": 32,
            "num_key_value_heads": 2,
            "head_dim": 128,
            "intermediate_size": 1856,
            "n_routed_experts": 128,
            "n_shared_experts": 1,
            "num_experts_per_tok": 6,
            "moe_intermediate_size": 1856,
            "moe_shared_expert_intermediate_size": 3712,
            "mamba_num_heads": 64,
            "mamba_head_dim": 64,
            "n_groups": 8,
            "ssm_state_size": 128,
            "conv_kernel": 4,
            "vocab_size": 131072,
            "max_position_embeddings": 262144,
            "tie_word_embeddings": False,
        },
    ),
    (
        "Qwen/Qwen2.5-72B-Instruct",
        "Qwen2.5 technical report, arXiv 2412.15115, table 1: 80 layers, 64 and 8 heads",
        {
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "num_hidden_layers": 80,
            "hidden_size": 8192,
            "num_attention_heads": 64,
            "num_key_value_heads": 8,
            "intermediate_size": 29568,
            "vocab_size": 152064,
            "max_position_embeddings": 32768,
            "rms_norm_eps": 1e-06,
            "rope_theta": 1000000.0,
            "tie_word_embeddings": False,
        },
    ),
    (
        "Qwen/Qwen3.5-397B-A17B",
        "NVIDIA-NeMo/Megatron-Bridge 067f987df, models/qwen_vl/qwen35_vl_provider.py",
        qwen35(
            "qwen3_5_moe",
            60,
            4096,
            32,
            2,
            64,
            {
                "num_experts": 512,
                "num_experts_per_tok": 10,
                "moe_intermediate_size": 1024,
                "shared_expert_intermediate_size": 1024,
            },
        ),
    ),
    (
        "Qwen/Qwen3.5-122B-A10B",
        "model card; the numbers add up to the stated 122 billion parameters",
        qwen35(
            "qwen3_5_moe",
            48,
            3072,
            32,
            2,
            64,
            {
                "num_experts": 256,
                "num_experts_per_tok": 8,
                "moe_intermediate_size": 1024,
                "shared_expert_intermediate_size": 1024,
            },
        ),
    ),
    (
        "Qwen/Qwen3.5-2B",
        "model card; the numbers add up to the stated 2 billion parameters",
        qwen35("qwen3_5", 24, 2048, 8, 2, 16, {"intermediate_size": 6144, "tie_word_embeddings": True}),
    ),
]


# transformers' default of the class that names this checkpoint as its own.
DEFAULT_LENGTHS = {"Qwen/Qwen3-30B-A3B-Base": "qwen3_moe", "openai/gpt-oss-20b": "gpt_oss"}
FAMILIES = "xinference/model/llm/llm_family.json"


def commit(checkout: Path) -> str:
    """The commit of a checkout."""
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def lengths(xinference: Path) -> dict[str, tuple[int, int]]:
    """Context length by hub name, lower case and without the owner, and the line on which it stands."""
    text = (xinference / FAMILIES).read_text(encoding="utf-8")
    at = [number for number, line in enumerate(text.splitlines(), 1) if line.startswith('    "context_length":')]
    families = [family for family in json.loads(text) if "context_length" in family]
    names = {}
    for line, family in zip(at, families, strict=True):
        for spec in family["model_specs"]:
            for source in spec["model_src"].values():
                name = str(source.get("model_id") or "").rpartition("/")[2].lower()
                names[name] = (int(family["context_length"]), line)
    return names


def models(slime: Path, xinference: Path) -> dict[str, Config]:
    """All bundled models: hub name -> what is written."""
    known, at = lengths(xinference), {"slime": commit(slime), "xinference": commit(xinference)}
    entries: dict[str, Config] = {}
    for name, script, family, context, changes in FROM_SLIME:
        path = f"scripts/models/{script}.sh"
        values = arguments(slime / path)
        config = translate(values, family, context) | changes
        if "vl" in family or family.startswith("qwen3_5"):
            config = nested(config, family)
        config["architectures"] = [ARCHITECTURES[family]]
        source = {"repo": "THUDM/slime", "commit": at["slime"], "file": path}
        entries[name] = {"name": name, "config": config, "source": source}
        if values.get("max-position-embeddings") == str(context):
            entries[name]["context"] = source
    for name, kind, config in DEFAULTS:
        note = {"note": f"defaults of transformers {TRANSFORMERS}, models/{kind}"}
        entries[name] = {"name": name, "config": config | {"model_type": kind}, "source": note}
        if "text_config" not in config:
            entries[name]["context"] = note
    for name, item, config in TYPED:
        dtype = {} if "text_config" in config else {"torch_dtype": "bfloat16"}
        entries[name] = {"name": name, "config": config | dtype, "source": {"note": item}}
    for name, entry in entries.items():
        length = entry["config"].get("text_config", entry["config"]).get("max_position_embeddings")
        stated, line = known.get(name.rpartition("/")[2].lower(), (None, 0))
        if name in DEFAULT_LENGTHS:
            entry["context"] = {"note": f"default of transformers {TRANSFORMERS}, models/{DEFAULT_LENGTHS[name]}"}
        elif "context" not in entry and stated == length:
            entry["context"] = {
                "repo": "xorbitsai/inference",
                "commit": at["xinference"],
                "file": FAMILIES,
                "line": line,
            }
    return entries


def main() -> int:
    """Write all files anew."""
    slime, xinference = (Path(word).resolve() for word in [*sys.argv[1:], "", ""][:2])
    if len(sys.argv) != 3 or not (slime / "scripts/models").is_dir() or not (xinference / FAMILIES).is_file():
        print(
            "model_configs: give checkouts of THUDM/slime and xorbitsai/inference: model_configs.py DIR DIR",
            file=sys.stderr,
        )
        return 2
    result = models(slime, xinference)
    TARGET.mkdir(exist_ok=True)
    for old in TARGET.glob("*.json"):
        old.unlink()
    for name, entry in result.items():
        file = TARGET / f"{name.rpartition('/')[2]}.json"
        file.write_text(json.dumps(entry, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    without = [name for name, entry in result.items() if "context" not in entry]
    print(f"model_configs: {len(result)} models; without a source for the context length: {without}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
