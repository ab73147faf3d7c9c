"""Public logs of an engine's start, a row each, and the dry run that predicts one."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from verl_rocm import models
from verl_rocm.dryrun.jobs import MAIN, Job, Question, identities, request
from verl_rocm.memory.rollout import GIB
from verl_rocm.paste import KWARGS, ROLLOUT
from verl_rocm.worker.wire import Request


class Row(BaseModel):
    """One public log; memory in GiB."""

    id: str
    source: str
    gpu: str | None = None
    gpu_memory_gib: float | None = None
    model: str | None = None
    quantization: str | None = None
    tp: int | None = None
    kv_cache_dtype: str | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    gpu_memory_utilization: float | None = None
    weights_gib: float | None = None
    available_kv_gib: float | None = None
    kv_tokens: int | None = None


def skipped(row: Row) -> str:
    """Why a row cannot be predicted; empty if it can."""
    if row.weights_gib is None and row.kv_tokens is None and row.available_kv_gib is None:
        return "nothing logged that is predicted"
    if row.model is None:
        return "the model is not named"
    if models.lookup(_named(row)) is None:
        return f"no config of {row.model} is bundled"
    if row.tp is None:
        return "the number of ranks is not stated"
    return ""


def _named(row: Row) -> str:
    """The bundled model of a row: a quantised checkpoint has the KV cache of the plain one."""
    return (row.model or "").removesuffix("-FP8")


def job(row: Row, folder: Path) -> Request:
    """The dry run whose engine has the row's sizes; what the row leaves out is vLLM's default on its GPU."""
    overrides = {
        "algorithm.adv_estimator": "grpo",
        "actor_rollout_ref.model.path": _named(row),
        "actor_rollout_ref.actor.use_dynamic_bsz": True,
        f"{ROLLOUT}.name": "vllm",
        f"{ROLLOUT}.tensor_model_parallel_size": row.tp,
        f"{ROLLOUT}.max_num_seqs": row.max_num_seqs or 1024,
        f"{ROLLOUT}.prompt_length": 512,
        f"{ROLLOUT}.response_length": 512,
        "data.max_prompt_length": 512,
        "data.max_response_length": 512,
    }
    if row.max_model_len:
        overrides[f"{ROLLOUT}.max_model_len"] = row.max_model_len
    arguments = [f"{key}={value}" for key, value in overrides.items()]
    if row.available_kv_gib:
        arguments.append(f"++{KWARGS}.kv_cache_memory_bytes={round(row.available_kv_gib * GIB)}")
    question = Question(gpus=("MI300X",))
    (gpu,) = identities(question)
    return request(question, Job(MAIN, tuple(arguments)), gpu, folder)
