"""From what the user names to launches of verl, and from those to requests for the child."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from verl_rocm import models
from verl_rocm.worker.overrides import bare
from verl_rocm.worker.wire import ROLLOUT, VISIBILITY, Identity, Placed, Request

from . import gpus
from .script import run as script

MAIN = "verl.trainer.main_ppo"
DEFAULT_MODEL = "~/models/deepseek-llm-7b-chat"  # verl's own, in trainer/config/model/hf_model.yaml
# Variables that a script sets and a rollout reads; the rest of its environment is its own affair.
HANDED_ON = re.compile(
    r"^(VLLM_|NCCL_|RCCL_|HSA_|HIP_|GPU_|PYTORCH_|TORCH_|VERL_(?!ROCM|FILE_LOGGER)|SGLANG_|AITER_|SAFETENSORS_|HYDRA_)"
)
# What the guide's recipe says of a trainer where only a rollout was named; a test compares them with the recipe.
RECIPE = {
    "algorithm.adv_estimator": "grpo",
    "actor_rollout_ref.model.path": "Qwen/Qwen2.5-7B-Instruct",
    f"{ROLLOUT}.name": "vllm",
    "actor_rollout_ref.actor.use_dynamic_bsz": "True",
}
CONFIG_FOLDERS = ("--config-path", "-cp", "--config-dir", "-cd")
BATCHING = re.compile(r"use_dynamic_bsz|micro_batch_size")


class BadInput(Exception):
    """One line for the user; exit code 2."""


@dataclass(frozen=True)
class Question:
    """What the user wants to know: a job, as overrides or as a script, on one or more GPUs."""

    overrides: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ("MI300X",)
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
    """One launch of verl.

    ``completed``: overrides of the guide's recipe; ``notes``: what of a script is left out; ``foreign``: the trainer is
    none of verl's own, and its overrides are resolved as those of :data:`MAIN`.
    """

    launcher: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    folder: str = "."
    completed: tuple[str, ...] = ()
    notes: str = ""
    foreign: bool = False


def completion(overrides: Sequence[str]) -> tuple[str, ...]:
    """Overrides of the recipe for what a trainer needs and nobody named.

    Nothing is added to a config of the user's own, nor where the job says itself how it cuts its batches.
    """
    own = any(word.startswith(("--config", "-cn", "-cp", "-cd")) for word in overrides)
    if own or any(BATCHING.search(word) for word in overrides):
        return ()
    named = {bare(word) for word in overrides}
    return tuple(f"{key}={value}" for key, value in RECIPE.items() if key not in named)


def placed(arguments: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Hydra's arguments with config folders that lie below the ``folder`` of the launch given whole."""
    words = list(arguments)
    for at, word in enumerate(words):
        option, _, name = word.partition("=")
        if option in CONFIG_FOLDERS and name and (folder / name).is_dir():
            words[at] = f"{option}={(folder / name).resolve()}"
        elif at and words[at - 1] in CONFIG_FOLDERS and (folder / word).is_dir():
            words[at] = str((folder / word).resolve())
    return tuple(words)


def jobs(question: Question, arch: str) -> list[Job]:
    """What the user's script would launch on a GPU of this arch, or the one job of the overrides.

    Raises:
        ScriptProblem: the script launches nothing of verl.
    """
    if question.script is None:
        completed = completion(question.overrides)
        return [Job(MAIN, (*completed, *question.overrides), completed=completed)]
    launched = []
    launches = script.launches(
        question.script, question.overrides, trusted=question.trust, arch=arch, gpus=question.count
    )
    for launch in launches:
        exported = {
            key: value
            for key, value in launch.environment.items()
            if HANDED_ON.match(key) and key not in VISIBILITY and os.environ.get(key) != value
        }
        devices = {key: launch.environment[key] for key in VISIBILITY if key in launch.environment}
        foreign = not launch.module.startswith("verl.")
        resolved_as = f"{launch.module} is none of verl's own trainers and is resolved as {MAIN}" if foreign else ""
        launched.append(
            Job(
                launcher=MAIN if foreign else launch.module,
                arguments=placed(launch.arguments, Path(launch.folder)),
                environment=exported,
                devices=devices,
                folder=launch.folder,
                notes="; ".join(filter(None, [resolved_as, launch.notes])),
                foreign=foreign,
            )
        )
    return launched


def model_names(job: Job, model: str | None) -> list[str]:
    """Names by which the child may look a model up: the one asked for, and the job's own."""
    key = "actor_rollout_ref.model.path"
    named = [word.partition("=")[2].strip("'\"") for word in job.arguments if "=" in word and bare(word) == key]
    return [name for name in [model, *named, DEFAULT_MODEL] if name]


def identities(question: Question) -> list[Identity]:
    """The GPUs that were asked for.

    Raises:
        BadInput: one of them is not known.
    """
    try:
        return [gpus.identity(name, question.count) for name in question.gpus]
    except gpus.UnknownGpu as error:
        raise BadInput(str(error)) from None


def request(question: Question, job: Job, identity: Identity, folder: Path) -> Request:
    """The request for one job on one GPU; models that it may need are put into ``folder``.

    Raises:
        BadInput: the model that was asked for is not known.
    """
    places = {}
    for name in model_names(job, question.model):
        if model := models.place(name, folder):
            places[name] = Placed(directory=str(model.directory), source=model.source)
        elif name == question.model:
            near = models.near(name)
            hint = f"nearest is {near}, and --models lists all" if near else "--models lists the bundled"
            raise BadInput(f"model {name} is neither a directory with a config.json nor bundled: {hint}")
    return Request(
        identity=identity,
        launcher=job.launcher,
        arguments=job.arguments,
        models=places,
        folder=str(folder),
        rocm=question.rocm,
        model=question.model,
        nodes=question.nodes,
        environment=job.environment,
        devices=job.devices,
        foreign=job.foreign,
    )


def checkout(launched: Sequence[Job]) -> Path | None:
    """The folder whose own ``verl`` a script would have started: ``python -m`` looks there first."""
    folders = {Path(job.folder) for job in launched}
    own = [folder for folder in folders if folder != Path() and (folder / "verl" / "__init__.py").is_file()]
    return own[0] if len(folders) == 1 and own else None
