"""``verl-rocm dry-run``: from the command line to a report and an exit code."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import threading
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import engines, gpus, models, refusals, script

if TYPE_CHECKING:
    from verl_rocm.facts.base import Facts

MAIN = "verl.trainer.main_ppo"
VISIBILITY = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
# Variables that a script sets and a rollout reads; the rest of its environment is its own affair.
HANDED_ON = re.compile(
    r"^(VLLM_|NCCL_|RCCL_|HSA_|HIP_|GPU_|PYTORCH_|TORCH_|VERL_(?!ROCM|FILE_LOGGER)|SGLANG_|AITER_|SAFETENSORS_|HYDRA_)"
)


class BadInput(Exception):
    """One line for the user; exit code 2."""


@dataclass(frozen=True)
class Asked:
    """What the user wants."""

    overrides: list[str]
    gpus: list[str] = field(default_factory=lambda: ["MI300X"])
    count: int = 8
    nodes: int | None = None
    model: str | None = None
    rocm: str | None = None
    vllm: str | None = None
    script: Path | None = None
    compare: str | None = None
    trust: bool = False


@dataclass(frozen=True)
class Job:
    """One launch of verl."""

    launcher: str
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    folder: str = "."


def jobs(asked: Asked, arch: str) -> list[Job]:
    """What the user's script would launch on a GPU of this arch, or the one job of the overrides."""
    if asked.script is None:
        return [Job(MAIN, asked.overrides)]
    made = []
    for launch in script.launches(asked.script, asked.overrides, trusted=asked.trust, arch=arch):
        handed = {
            key: value
            for key, value in launch.environment.items()
            if HANDED_ON.match(key) and key not in VISIBILITY and os.environ.get(key) != value
        }
        devices = {key: launch.environment[key] for key in VISIBILITY if key in launch.environment}
        made.append(Job(launch.module, launch.arguments, handed, devices, launch.folder))
    return made


def model_names(job: Job, asked: Asked) -> list[str]:
    """Names by which the child may look a model up: the one asked for, and the job's own."""
    given = [
        word.partition("=")[2].strip("'\"")
        for word in job.arguments
        if word.lstrip("+").startswith("actor_rollout_ref.model.path=")
    ]
    return [name for name in [asked.model, *given, "~/models/deepseek-llm-7b-chat"] if name]


def identities(asked: Asked) -> list[dict[str, Any]]:
    """The GPUs that were asked for.

    Raises:
        BadInput: one of them is not known.
    """
    try:
        return [gpus.identity(name, asked.count) for name in asked.gpus]
    except gpus.UnknownGpu as error:
        raise BadInput(str(error)) from None


def request(asked: Asked, job: Job, identity: dict[str, Any], folder: Path) -> engines.Request:
    """What the child is asked of one job on one GPU; models that it may need are put into ``folder``.

    Raises:
        BadInput: the model that was asked for is not known.
    """
    places = {}
    for name in model_names(job, asked):
        found = models.place(name, folder)
        if found is not None:
            places[name] = {"directory": str(found.directory), "source": found.source}
        elif name == asked.model:
            near = models.near(name)
            hint = f"nearest is {near}, and --models lists all" if near else "--models lists the bundled"
            raise BadInput(f"model {name} is neither a directory with a config.json nor bundled: {hint}")
    return engines.Request(
        identity=identity,
        launcher=job.launcher,
        arguments=job.arguments,
        models=places,
        rocm=asked.rocm,
        model=asked.model,
        nodes=asked.nodes,
        environment=job.environment,
        devices=job.devices,
    )


def checkout(made: list[Job]) -> Path | None:
    """The folder whose own ``verl`` a script would have started: ``python -m`` looks there first."""
    folders = {Path(job.folder) for job in made}
    own = [folder for folder in folders if folder != Path() and (folder / "verl" / "__init__.py").is_file()]
    return own[0] if len(folders) == 1 and own else None


def _facts() -> tuple[threading.Thread, dict[str, Facts]]:
    """Start reading the facts while the child imports vLLM."""
    box: dict[str, Facts] = {}

    def read() -> None:
        from verl_rocm.facts.load import load

        box["facts"] = load()

    thread = threading.Thread(target=read)
    thread.start()
    return thread, box


def complete(found: dict[str, Any], asked: list[engines.Request], facts: Facts) -> list[dict[str, Any]]:
    """The child's results with findings and known issues."""
    from . import findings, issues

    for result, request in zip(found["results"], asked, strict=True):
        result |= {"gpu": request.identity, "rocm": request.rocm, "launcher": request.launcher}
        if "problem" in result:
            refusals.explain(result["problem"], found["versions"]["verl"], facts)
            continue
        result["findings"] = findings.as_dicts(findings.find(result))
        versions = {name: found["versions"].get(name) for name in ("vllm", "verl", "ray")} | {"rocm": request.rocm}
        result["issues"] = issues.as_dicts(issues.match(facts, result, versions))
    made: list[dict[str, Any]] = found["results"]
    return made


def code(results: list[dict[str, Any]]) -> int:
    """0 clean, 1 findings or a confirmed known issue that awaits, 2 refused."""
    if any("problem" in result for result in results):
        return 2
    counted = [item for result in results for item in result["findings"] if item["level"] == "finding"]
    waiting = [
        item
        for result in results
        for item in result["issues"]
        if item["state"] == "awaits" and item["confidence"] == "confirmed"
    ]
    return 1 if counted or waiting else 0


def resolve(asked: Asked) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Versions and results of every job on every GPU, in one child process.

    Raises:
        BadInput, ScriptProblem, EngineProblem: with one line each.
    """
    python = engines.interpreter(asked.vllm)
    if asked.rocm is not None and not re.fullmatch(r"\d+(\.\d+){0,3}", asked.rocm):
        raise BadInput(f"--rocm {asked.rocm} is no release: write it like 7.2.1")
    with tempfile.TemporaryDirectory(prefix="verl-rocm-models-") as folder:
        named = identities(asked)
        by_arch = {arch: jobs(asked, arch) for arch in dict.fromkeys(one["arch"] for one in named)}
        rows = zip_longest(*(by_arch[one["arch"]] for one in named))  # job by job, each on all GPUs
        wanted = [
            request(asked, job, one, Path(folder)) for row in rows for job, one in zip(row, named, strict=True) if job
        ]
        made = [job for found in by_arch.values() for job in found]
        thread, box = _facts()
        try:
            found = engines.resolve(wanted, python, checkout=checkout(made))
        finally:
            thread.join()
    if "facts" not in box:
        raise BadInput("the facts cannot be read: `python -m verl_rocm.facts` says why")
    return found["versions"], complete(found, wanted, box["facts"])


def _compare(asked: Asked) -> tuple[list[str], dict[str, str], list[dict[str, Any]]]:
    assert asked.compare is not None
    kind, _, listed = asked.compare.rpartition("=")
    names = [name.strip() for name in listed.split(",") if name.strip()]
    if kind not in ("", "vllm", "gpu") or len(names) < 2:
        raise BadInput(f"--compare {asked.compare}: write MI300X,MI355X or vllm=0.24.0,0.30.0")
    if kind != "vllm":
        versions, results = resolve(replace(asked, gpus=names))
        return names, versions, results
    made, versions = [], {}
    for name in names:
        versions, results = resolve(replace(asked, vllm=name))
        made += results
    return [f"vLLM {name}" for name in names], versions, made


def list_models() -> int:
    """Print the bundled models."""
    for entry in models.bundled().values():
        print(entry["name"] if "context" in entry else f"{entry['name']}  ({models.NO_SOURCE})")
    return 0


def run(asked: Asked, as_json: bool, every: bool) -> int:
    """Print the report; the exit code says whether there are findings (1) or bad input (2)."""
    names: list[str] = []
    try:
        if asked.compare:
            names, versions, results = _compare(asked)
        else:
            versions, results = resolve(asked)
    except (BadInput, script.ScriptProblem, engines.EngineProblem) as problem:
        print(
            json.dumps({"problem": str(problem)}) if as_json else f"verl-rocm: {problem}",
            file=sys.stdout if as_json else sys.stderr,
        )
        return 2
    show(names, versions, results, as_json, every)
    return code(results)


def show(names: list[str], versions: dict[str, str], results: list[dict[str, Any]], as_json: bool, every: bool) -> None:
    """Print results: as JSON, as a comparison, or one report after the other."""
    if as_json:
        print(json.dumps({"versions": versions, "results": results}, indent=1))
        return
    refused = [result for result in results if "problem" in result]
    if refused and len(refused) == len(results):
        print(f"verl-rocm: {refusals.one_line(refused[0]['problem'])}", file=sys.stderr)
        return
    from rich.console import Console

    from . import compare, report

    console = Console(highlight=False)
    if names:
        report.print_comparison(console, names, compare.differences(results))
        return
    for index, result in enumerate(results):
        if index:
            console.rule()
        report.print_result(console, result, versions, every)
