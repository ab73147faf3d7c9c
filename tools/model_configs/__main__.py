"""Write ``verl_rocm/facts/models/*.json``: architecture configs of the models that verl's examples name, offline.

``python -m tools.model_configs SLIME XINFERENCE`` reads ``scripts/models/*.sh`` of a checkout of THUDM/slime, in which
each model's architecture stands as Megatron arguments, lets bash expand them, and turns them into Hugging Face's names.
Models that transformers describes by the defaults of its own class need none.  The few numbers that neither has are
typed in ``models.yaml`` with their source.  A dry run reads sizes, heads, experts and context length; a vision tower
plays no part.

The context lengths there were typed.  Where slime, transformers or the list of xorbitsai/inference states the same
length for that model, the entry says where; the others have no source, and ``--models`` marks them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from tools.model_configs import megatron, starts
from tools.model_configs.megatron import ARCHITECTURES
from verl_rocm.models import BUNDLED, Bundled, Source

TRANSFORMERS = "5.10.4"
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
    known = {}
    for line, family in zip(at, families, strict=True):
        for spec in family["model_specs"]:
            for source in spec["model_src"].values():
                name = str(source.get("model_id") or "").rpartition("/")[2].lower()
                known[name] = (int(family["context_length"]), line)
    return known


def of_slime(slime: Path, at: str, models: list[starts.OfSlime]) -> dict[str, Bundled]:
    """The models of slime's scripts, at its commit."""
    entries: dict[str, Bundled] = {}
    for model in models:
        path = f"scripts/models/{model.file}.sh"
        values = megatron.arguments(slime / path)
        config = megatron.translate(values, model.family, model.context) | model.changes
        if "vl" in model.family or model.family.startswith("qwen3_5"):
            config = megatron.nested(config, model.family)
        config["architectures"] = [ARCHITECTURES[model.family]]
        source: Source = {"repo": "THUDM/slime", "commit": at, "file": path}
        entries[model.name] = {"name": model.name, "config": config, "source": source}
        if values.get("max-position-embeddings") == str(model.context):
            entries[model.name]["context"] = source
    return entries


def of_transformers(models: list[starts.OfTransformers]) -> dict[str, Bundled]:
    """The models that a class of transformers describes; the context length is its default too."""
    entries: dict[str, Bundled] = {}
    for model in models:
        note: Source = {"note": f"defaults of transformers {TRANSFORMERS}, models/{model.kind}"}
        entries[model.name] = {"name": model.name, "config": model.config | {"model_type": model.kind}, "source": note}
        if "text_config" not in model.config:
            entries[model.name]["context"] = note
    return entries


def typed(models: list[starts.Typed]) -> dict[str, Bundled]:
    """The models whose numbers were typed."""
    entries: dict[str, Bundled] = {}
    for model in models:
        if model.family is None:
            config = model.config | {"torch_dtype": "bfloat16"}
        else:
            config = megatron.nested(model.config, model.family) | {"architectures": [ARCHITECTURES[model.family]]}
        entries[model.name] = {"name": model.name, "config": config, "source": {"note": model.source}}
    return entries


def _length(config: Mapping[str, JsonValue]) -> JsonValue:
    text = config.get("text_config", config)
    return text.get("max_position_embeddings") if isinstance(text, Mapping) else None


def models(slime: Path, xinference: Path) -> dict[str, Bundled]:
    """All bundled models: hub name -> what is written."""
    start, known, at = starts.read(), lengths(xinference), commit(xinference)
    entries = of_slime(slime, commit(slime), start.slime) | of_transformers(start.defaults) | typed(start.typed)
    for name, entry in entries.items():
        stated, line = known.get(name.rpartition("/")[2].lower(), (None, 0))
        if kind := start.default_lengths.get(name):
            entry["context"] = {"note": f"default of transformers {TRANSFORMERS}, models/{kind}"}
        elif name in start.stated_lengths:
            entry["context"] = {"note": start.stated_lengths[name]}
        elif "context" not in entry and stated == _length(entry["config"]):
            entry["context"] = {"repo": "xorbitsai/inference", "commit": at, "file": FAMILIES, "line": line}
    return entries


def main() -> int:
    """Write all files anew."""
    slime, xinference = (Path(word).resolve() for word in [*sys.argv[1:], "", ""][:2])
    if len(sys.argv) != 3 or not (slime / "scripts/models").is_dir() or not (xinference / FAMILIES).is_file():
        print(
            "model_configs: give checkouts of THUDM/slime and xorbitsai/inference: python -m tools.model_configs A B",
            file=sys.stderr,
        )
        return 2
    result = models(slime, xinference)
    BUNDLED.mkdir(exist_ok=True)
    for old in BUNDLED.glob("*.json"):
        old.unlink()
    for name, entry in result.items():
        file = BUNDLED / f"{name.rpartition('/')[2]}.json"
        file.write_text(json.dumps(entry, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    without = [name for name, entry in result.items() if "context" not in entry]
    print(f"model_configs: {len(result)} models; without a source for the context length: {without}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
