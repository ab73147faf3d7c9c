"""Jobs of the engine tests, all resolved in one child process, and the helper that asks for them."""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.verl_rocm.engine.mutations import lists
from verl_rocm.dryrun import engines, resolve
from verl_rocm.dryrun.jobs import MAIN, Job, Question, identities
from verl_rocm.dryrun.jobs import request as request_of
from verl_rocm.dryrun.report import RefusedJob, Report
from verl_rocm.worker.wire import Request

R = "actor_rollout_ref.rollout"
KWARGS = f"++{R}.engine_kwargs.vllm"
ENV = "+ray_kwargs.ray_init.runtime_env.env_vars"
FOR_REAL_ENGINES = ("VLLM_", "TORCH_COMPILE_")  # the doctest plugin sets some, and a dry run would honour them
ALL_GPUS = ("MI250X", "MI300X", "MI210", "MI300A", "MI308X", "MI325X", "MI350X", "MI355X")
BASE = [
    "algorithm.adv_estimator=grpo",
    "actor_rollout_ref.model.path=Qwen/Qwen2.5-7B-Instruct",
    f"{R}.name=vllm",
    "actor_rollout_ref.actor.use_dynamic_bsz=True",
    "trainer.n_gpus_per_node=8",
]
# The recipe of verl's own AMD page: seven capture sizes, enforce_eager off.
PAGE = [*BASE, f"{R}.cudagraph_capture_sizes=[1,2,4,8,16,32,64]", f"{R}.enforce_eager=False"]


def model(name: str) -> str:
    return f"actor_rollout_ref.model.path={name}"


# name -> GPU, overrides
JOBS: dict[str, tuple[str, list[str]]] = {
    **{f"page {gpu}": (gpu, PAGE) for gpu in ALL_GPUS},
    "clean": ("MI300X", [*BASE, f"{R}.max_num_seqs=64", f"{R}.cudagraph_capture_sizes=[1,2,4,8,16,32,64]"]),
    "eager": ("MI300X", [*PAGE, f"{R}.enforce_eager=True"]),
    "aiter on": ("MI300X", [*BASE, f'{ENV}.VLLM_ROCM_USE_AITER="1"']),
    "aiter asked": ("MI300X", [*BASE, f'{ENV}.VLLM_ROCM_USE_AITER="1"', f"{KWARGS}.attention_backend=ROCM_AITER_FA"]),
    "prefix caching off": ("MI300X", [*BASE, f"{R}.enable_prefix_caching=False"]),
    "no pool": ("MI300X", [*BASE, f"+{R}.enable_sleep_mode=False"]),
    "lora": ("MI300X", [*BASE, "actor_rollout_ref.model.lora_rank=32"]),
    "fp8 MI300X": ("MI300X", [*BASE, f"{R}.quantization=fp8"]),
    "fp8 MI355X": ("MI355X", [*BASE, f"{R}.quantization=fp8"]),
    "moe": ("MI355X", [*BASE, model("Qwen/Qwen3-30B-A3B"), f"{R}.expert_parallel_size=2"]),
    "mla": ("MI300X", [*BASE, model("deepseek-ai/DeepSeek-V3"), f"{R}.tensor_model_parallel_size=8"]),
    "vision": ("MI300X", [*BASE, model("Qwen/Qwen2.5-VL-7B-Instruct")]),
    "hybrid model": ("MI300X", [*BASE, model("Qwen/Qwen3.5-35B-A3B")]),
    "no custom all-reduce": ("MI300X", [*BASE, f"{KWARGS}.disable_custom_all_reduce=True"]),
    "reward model": (
        "MI300X",
        [
            *BASE,
            "reward.reward_model.enable=True",
            "reward.reward_model.rollout.name=vllm",
            "reward.reward_model.model_path=me/judge",
        ],
    ),
    "negative size": ("MI300X", [*BASE, f"{R}.cudagraph_capture_sizes=[-1]"]),
    # refused
    "unknown key": ("MI300X", [*BASE, f"{R}.max_num_seq=1"]),
    "key of the dataclass": ("MI300X", [*BASE, f"{R}.enable_sleep_mode=False"]),
    "append": ("MI300X", [*BASE, f"+{R}.max_num_seqs=1"]),
    "malformed": ("MI300X", [*BASE, "a=[1,2"]),
    "unknown field": ("MI300X", [*BASE, f"+{R}.max_num_seq=1"]),
    "unknown flag": ("MI300X", [*BASE, f"{KWARGS}.no_such_flag=1"]),
    "bad choice": ("MI300X", [*BASE, f"{KWARGS}.compilation_config.cudagraph_mode=FULLEST"]),
    "heads": ("MI300X", [*BASE, f"{R}.tensor_model_parallel_size=8"]),
    "tp": ("MI300X", [*BASE, f"{R}.tensor_model_parallel_size=3"]),
    "gpus": ("MI300X", [*BASE, "trainer.n_gpus_per_node=16"]),
    "no number": ("MI300X", [*BASE, "trainer.nnodes=two"]),
    "no ways": ("MI300X", [*BASE, f"{R}.tensor_model_parallel_size=0"]),
    "no variables": ("MI300X", [*BASE, "+ray_kwargs.ray_init.runtime_env.env_vars=[1]"]),
    "sizes are a number": ("MI300X", [*BASE, f"{R}.cudagraph_capture_sizes=64"]),
    "another release's key": ("MI300X", [*BASE, "actor_rollout_ref.actor.megatron.foo=1"]),
    "field of a dataclass": ("MI300X", [*BASE, "+actor_rollout_ref.actor.policy_loss.tau_pos=1.0"]),
    "sglang": ("MI300X", [*BASE, f"{R}.name=sglang"]),
    "unknown model": ("MI300X", [*BASE, model("/nowhere/my-model")]),
    "too long": ("MI300X", [*BASE, f"{R}.max_model_len=99999"]),
    "frozen field": ("MI300X", [*BASE, f"{R}.enable_chunked_prefill=False"]),
    **{f"mutation {n}": ("MI300X", overrides) for n, overrides in enumerate(lists(PAGE, 20))},
    **{f"mutation of a value {n}": ("MI300X", [*PAGE, f"{R}.max_num_seqs={n}"]) for n in (1, 100000, -1, 0)},
}


Answer = Report | RefusedJob
Requested = tuple[Request, Job]


def request(gpu: str, overrides: list[str], folder: Path, **more: Any) -> Requested:
    question = Question(tuple(overrides), gpus=(gpu,), rocm="7.2.1")
    return requested(question, Job(MAIN, tuple(overrides), **more), folder)


def requested(question: Question, job: Job, folder: Path) -> Requested:
    (gpu,) = identities(question)
    return request_of(question, job, gpu, folder), job


def resolved(pairs: list[Requested]) -> list[Answer]:
    from verl_rocm.facts.load import load

    requests = [request for request, _ in pairs]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOR_REAL_ENGINES)}
    with patch.dict(os.environ, kept, clear=True):  # tests beside these start real engines
        answers = engines.resolve(requests, engines.interpreter(None))
    return [*resolve.finished(answers, requests, [job for _, job in pairs], load()).reports]


@lru_cache(maxsize=1)
def answers() -> dict[str, Answer]:
    """Reports of :data:`JOBS`, and of a few with variables of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        requests = [request(gpu, overrides, folder) for gpu, overrides in JOBS.values()]
        both = {"HIP_VISIBLE_DEVICES": "0,1", "CUDA_VISIBLE_DEVICES": "2,3"}
        special = {
            "visibility conflict": request("MI300X", BASE, folder, devices=both),
            "rocr": request("MI300X", BASE, folder, devices={"ROCR_VISIBLE_DEVICES": "0,1"}),
            "few visible": request("MI300X", BASE, folder, devices={"HIP_VISIBLE_DEVICES": "0,1"}),
            "several replicas": request("MI300X", BASE, folder, devices={"HIP_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7"}),
            "one replica": request(
                "MI300X", [*BASE, "trainer.n_gpus_per_node=2"], folder, devices={"HIP_VISIBLE_DEVICES": "1,0"}
            ),
            "dead variable": request("MI300X", BASE, folder, environment={"VLLM_ATTENTION_BACKEND": "XFORMERS"}),
            "everything wrong": request(
                "MI300X",
                [*BASE, f"{R}.max_num_seq=1", "trainer.nnode=2", "trainer.n_gpus_per_node=16", model("/nowhere/m")],
                folder,
                devices={"ROCR_VISIBLE_DEVICES": "0"},
            ),
            "trainer of others": request(
                "MI300X", [*BASE, "data.size_in_a_fork=3", "+trainer.nnodes=1"], folder, foreign=True
            ),
            "own config": request("MI300X", own_config(folder), folder),
        }
        launcher = "verl.experimental.fully_async_policy.fully_async_main"
        asynchronous = Job(launcher, ("--config-name=fully_async_ppo_trainer", *BASE))
        special["fully async"] = requested(Question(gpus=("MI300X",)), asynchronous, folder)
        bare = [item for item in BASE if "use_dynamic_bsz" not in item]
        special["the same as training"] = request("MI300X", bare, folder)
        server = Job("verl.trainer.main_generation_server", tuple(bare))
        special["generation"] = requested(Question(gpus=("MI300X",)), server, folder)
        reports = resolved([*requests, *special.values()])
    return dict(zip([*JOBS, *special], reports, strict=True))


def own_config(folder: Path) -> list[str]:
    """A config file of one's own, which names its model; nothing on the command line does."""
    (folder / "own").mkdir()
    (folder / "own" / "mine.yaml").write_text(
        "defaults:\n  - ppo_trainer\n  - _self_\n"
        "actor_rollout_ref:\n  model:\n    path: Qwen/Qwen2.5-VL-7B-Instruct\n"
        "  actor:\n    use_dynamic_bsz: true\n  rollout:\n    name: vllm\n"
        "algorithm:\n  adv_estimator: grpo\ntrainer:\n  n_gpus_per_node: 8\n"
    )
    return [f"--config-dir={folder / 'own'}", "--config-name=mine"]
