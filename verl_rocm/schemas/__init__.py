"""JSON schemas of what the commands print for programs, by the name of the command.

``make schemas`` writes the files here from the models; the site offers them for download.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, JsonValue, RootModel

from verl_rocm.check.report import Report as Check
from verl_rocm.dryrun.report import DryRun, Failure
from verl_rocm.explain.report import Report as Explain

HERE = Path(__file__).parent


class DryRunOutput(RootModel[DryRun | Failure]):
    """What ``verl-rocm dry-run --format json`` prints: a report, or why there is none."""


MODELS: dict[str, type[BaseModel]] = {"dry-run": DryRunOutput, "check": Check, "explain": Explain}


def schema(name: str) -> dict[str, JsonValue]:
    """The schema of a command's output, from its model."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **MODELS[name].model_json_schema(mode="serialization"),
    }


def text(name: str) -> str:
    """The schema as its file has it."""
    return json.dumps(schema(name), indent=1) + "\n"


def file(name: str) -> Path:
    """Where the published schema lies."""
    return HERE / f"{name}.json"


def version(published: dict[str, JsonValue]) -> JsonValue:
    """The format that a schema is of: the constant of the field ``format`` in its report."""
    definitions = published.get("$defs")
    inner = definitions.get("DryRun", published) if isinstance(definitions, dict) else published
    fields = inner.get("properties") if isinstance(inner, dict) else None
    entry = fields.get("format") if isinstance(fields, dict) else None
    return entry.get("const") if isinstance(entry, dict) else None
