"""Bundled model configs: found by the names that people write, and true to the size in the model's name."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import JsonValue

from verl_rocm import models
from verl_rocm.dryrun import render

from .samples import report

ENTRIES = models.bundled()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct"),
        ("/data/models/Qwen2.5-7B-Instruct/", "Qwen/Qwen2.5-7B-Instruct"),
        ("~/models/qwen3-8b", "Qwen/Qwen3-8B"),
        ("Qwen/Qwen3-30B-A3B-mcore", "Qwen/Qwen3-30B-A3B"),
        ("Qwen/DeepSeek-R1-Distill-Qwen-1.5B", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"),
    ],
)
def test_names_as_people_write_them(written: str, name: str) -> None:
    entry = models.lookup(written)
    assert entry is not None and entry["name"] == name


def test_an_unknown_name_is_not_guessed() -> None:
    assert models.lookup("Qwen/Qwen2.5-7") is None
    assert models.lookup("somebody/Qwen2.5-7B-Instruct-finetuned") is None


def test_place_writes_a_config_that_can_be_loaded(tmp_path: Path) -> None:
    placed = models.place("Qwen/Qwen3-8B", tmp_path)
    assert placed is not None and (placed.directory / "config.json").is_file()
    assert placed.source == "bundled Qwen/Qwen3-8B"
    again = models.place(str(placed.directory), tmp_path)
    assert again is not None and again.source == "directory"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/models/Qwen/Qwen1.5-MoE-A2.7B-Chat", "Qwen/Qwen1.5-MoE-A2.7B-Chat"),
        ("$HOME/models/Qwen2.5-7B-Instruct/", "Qwen/Qwen2.5-7B-Instruct"),
        ("~/models/deepseek-ai/deepseek-coder-1.3b-instruct", "deepseek-ai/deepseek-coder-1.3b-instruct"),
    ],
)
def test_a_path_of_another_machine_is_placed_by_its_end_and_the_report_says_so(
    path: str, name: str, tmp_path: Path
) -> None:
    placed = models.place(path, tmp_path)
    assert placed is not None
    assert placed.source == f"bundled {name}, by the end of a path that has no config.json on this machine"
    assert render.plan(report(model={"named": path, "source": placed.source}))[0] == ("model", placed.source)


def test_a_report_has_no_row_for_a_model_that_the_job_names() -> None:
    assert "model" not in dict(render.plan(report(model={"source": "bundled Qwen/Qwen2.5-7B-Instruct"})))


def test_a_path_of_this_machine_is_read_whatever_it_ends_in(tmp_path: Path) -> None:
    own = tmp_path / "Qwen2.5-7B-Instruct"
    own.mkdir()
    (own / "config.json").write_text("{}", encoding="utf-8")
    assert models.place(str(own), tmp_path) == models.Model(own, "directory")


def hybrid_parameters(text: SimpleNamespace) -> float:
    """The same for Nemotron-H, whose layers are Mamba (M), experts with two matrices (E) or attention (*)."""
    size, pattern = text.hidden_size, text.hybrid_override_pattern
    inner = text.mamba_num_heads * text.mamba_head_dim
    mamba = size * (3 * inner + 2 * text.n_groups * text.ssm_state_size + text.mamba_num_heads)
    experts = text.n_routed_experts * text.moe_intermediate_size + text.moe_shared_expert_intermediate_size
    attention = size * text.head_dim * 2 * (text.num_attention_heads + text.num_key_value_heads)
    layers = pattern.count("M") * mamba + pattern.count("E") * 2 * size * experts + pattern.count("*") * attention
    return float(layers + 2 * text.vocab_size * size) / 1e9


def parameters(config: Mapping[str, JsonValue]) -> float:
    """Parameters of the language model in billions, from the config's numbers alone."""
    inner = config.get("text_config", config)
    assert isinstance(inner, Mapping)
    text = SimpleNamespace(**inner)
    if hasattr(text, "hybrid_override_pattern"):
        return hybrid_parameters(text)
    size, layers = text.hidden_size, text.num_hidden_layers
    heads, kv = text.num_attention_heads, text.num_key_value_heads
    if hasattr(text, "kv_lora_rank"):
        rope, nope, value, low = (
            text.qk_rope_head_dim,
            text.qk_nope_head_dim,
            text.v_head_dim,
            text.kv_lora_rank,
        )
        query = text.q_lora_rank * (size + heads * (rope + nope)) if text.q_lora_rank else size * heads * (rope + nope)
        attention = query + size * (low + rope) + low * heads * (nope + value) + heads * value * size
    else:
        head = getattr(text, "head_dim", None) or size // heads
        attention = size * head * (2 * heads + 2 * kv)
    names = ("num_experts", "n_routed_experts", "num_local_experts")
    experts = next((count for name in names if (count := getattr(text, name, None))), None)
    dense = 3 * size * getattr(text, "intermediate_size", 0)
    moe = 3 * size * getattr(text, "moe_intermediate_size", getattr(text, "intermediate_size", 0)) * (experts or 0)
    first = getattr(text, "first_k_dense_replace", 0) if experts else layers
    embeddings = text.vocab_size * size * (1 if getattr(text, "tie_word_embeddings", None) else 2)
    return float(layers * attention + first * dense + (layers - first) * moe + embeddings) / 1e9


NUMBERED = {name: entry for name, entry in ENTRIES.items() if "hidden_size" in str(entry["config"])}
SIZES = {
    "deepseek-v3": 671.0,
    "deepseek-v3-0324": 671.0,
    "deepseek-v4-flash": 284.0,
    "gemma-2-2b-it": 2.6,  # with its embeddings, which the name leaves out
    "gemma-2b-it": 2.5,
    "glm-4.5-air": 106.0,
    "hy3": 295.0,
    "mistral-nemo-instruct-2407": 12.2,
    "qwen1.5-moe-a2.7b-chat": 14.3,
    "smollm2-135m-instruct": 0.135,
}


@pytest.mark.parametrize("name", sorted(NUMBERED))
def test_the_numbers_add_up_to_the_size_in_the_name(name: str) -> None:
    stated = re.search(r"(\d+(?:\.\d+)?)b(?![a-z])", name)
    size = SIZES.get(name) or float(stated[1] if stated else "nan")
    counted = parameters(NUMBERED[name]["config"])
    # A vision tower, gates and shared experts are left out; a name rounds.
    assert 0.75 * size < counted < 1.25 * size, f"{counted:.1f}"


def test_a_length_without_a_source_is_marked(tmp_path: Path) -> None:
    without = {entry["name"] for entry in ENTRIES.values() if "context" not in entry}
    assert 0 < len(without) < 10
    for name in without:
        placed = models.place(name, tmp_path)
        assert placed is not None and placed.source == f"bundled {name}, context length without a source"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("/hdfs/multiturn-sft-qwen-2.5-7b-instruct/global_step_372", "Qwen/Qwen2.5-7B-Instruct"),
        ("me/qwen3-8b-sft", "Qwen/Qwen3-8B"),
        ("Qwen/Qwen2.5-7B-Instrct", "Qwen/Qwen2.5-7B-Instruct"),
        ("openbmb/MiniCPM-o-2_6", None),
        ("bert-base", None),
    ],
)
def test_the_model_that_a_name_speaks_of(written: str, name: str | None) -> None:
    assert models.near(written) == name


def test_every_entry_says_where_its_numbers_are_from() -> None:
    for name, entry in ENTRIES.items():
        source = entry["source"]
        assert source.get("note") or (source["repo"] and re.fullmatch("[0-9a-f]{40}", source["commit"])), name
        context = entry.get("context", {"note": "none"})
        assert context.get("note") or re.fullmatch("[0-9a-f]{40}", context["commit"]), name
        assert entry["config"]["architectures"] and entry["config"]["model_type"], name
