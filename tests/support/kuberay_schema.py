"""Write the part of KubeRay's RayJob schema that the guide's manifest touches, with all names beside it.

    python -m tests.support.kuberay_schema ray.io_rayjobs.yaml 1.7.0

The file is ``ray-operator/config/crd/bases/ray.io_rayjobs.yaml`` of ray-project/kuberay at that tag.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

MANIFEST = Path(__file__).parents[2] / "snippets" / "how_to" / "several_nodes_kuberay.yaml"
SCHEMA = Path(__file__).with_name("kuberay_rayjob.json")


def pruned(schema: dict[str, Any], given: Any) -> dict[str, Any]:
    """``schema`` with only what judges ``given``: sub-schemas where it goes down, names and types beside them."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made: dict[str, Any] = {
        key: schema[key] for key in ("type", "required", "enum", "minimum", "maximum") if key in schema
    }
    if "properties" in schema:
        into = given if isinstance(given, dict) else {}
        made["properties"] = {
            name: pruned(inner, into[name]) if name in into else {} for name, inner in schema["properties"].items()
        }
        made["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = pruned(schema["additionalProperties"], None)
    if "items" in schema:
        together: dict[str, Any] = {}
        for item in given or []:
            together |= item if isinstance(item, dict) else {}
        made["items"] = pruned(schema["items"], together)
    return made


def main() -> None:
    """Command line."""
    source, release = sys.argv[1:]
    definition = yaml.safe_load(Path(source).read_text())
    (version,) = (made for made in definition["spec"]["versions"] if made["name"] == "v1")
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    given = yaml.safe_load(MANIFEST.read_text())["spec"]
    made = {"release": release, "spec": pruned(spec, given)}
    SCHEMA.write_text(json.dumps(made, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
