"""Write the part of KubeRay's RayJob schema that the guide's manifest touches, with all names beside it.

    python -m tests.support.kuberay_schema ray.io_rayjobs.yaml 1.7.0

The file is ``ray-operator/config/crd/bases/ray.io_rayjobs.yaml`` of ray-project/kuberay at that tag.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Literal, TypedDict

import yaml
from pydantic import JsonValue

MANIFEST = Path(__file__).parents[2] / "snippets" / "how_to" / "several_nodes_kuberay.yaml"
KEPT: tuple[Literal["type", "required", "enum", "minimum", "maximum"], ...] = (
    "type",
    "required",
    "enum",
    "minimum",
    "maximum",
)
SCHEMA = Path(__file__).with_name("kuberay_rayjob.json")


Schema = TypedDict(
    "Schema",
    {
        "type": "str | list[str]",
        "required": list[str],
        "enum": list[JsonValue],
        "minimum": float,
        "maximum": float,
        "properties": "dict[str, Schema]",
        "additionalProperties": "Schema | bool",
        "items": "Schema",
        "x-kubernetes-int-or-string": bool,
        "x-kubernetes-preserve-unknown-fields": bool,
    },
    total=False,
)


def pruned(schema: Schema, value: JsonValue) -> Schema:
    """``schema`` with only what judges ``value``: sub-schemas where it goes down, names and types beside them."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    result: Schema = {}
    for key in KEPT:
        if key in schema:
            result[key] = schema[key]
    if "properties" in schema:
        into = value if isinstance(value, dict) else {}
        result["properties"] = {
            name: pruned(inner, into[name]) if name in into else {} for name, inner in schema["properties"].items()
        }
        result["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if isinstance(others := schema.get("additionalProperties"), dict):
        result["additionalProperties"] = pruned(others, None)
    if "items" in schema:
        together: dict[str, JsonValue] = {}
        for item in value if isinstance(value, list) else []:
            together |= item if isinstance(item, dict) else {}
        result["items"] = pruned(schema["items"], together)
    return result


def main() -> None:
    """Command line."""
    source, release = sys.argv[1:]
    definition = yaml.safe_load(Path(source).read_text())
    (version,) = (item for item in definition["spec"]["versions"] if item["name"] == "v1")
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    manifest = yaml.safe_load(MANIFEST.read_text())["spec"]
    content = {"release": release, "spec": pruned(spec, manifest)}
    SCHEMA.write_text(json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
