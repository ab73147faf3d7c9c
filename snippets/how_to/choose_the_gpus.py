"""Print which GPUs each process of a verl job would see with this shell's variables.

Run it in the container and shell of the job, before the job.  It loads no model.
Exit codes: 0 all agree; 1 a process refuses its variables or sees the wrong number of
GPUs; 2 bad input.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import TypedDict

NAMES = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
# vLLM compares the variables when its ROCm platform is imported, in each process.
ENGINE = f"""
import json, os
import vllm.platforms.rocm, torch
present = {{n: os.environ[n] for n in {NAMES} if n in os.environ}}
print(json.dumps([present, torch.cuda.device_count()]))
"""


class Process(TypedDict, total=False):
    """What one sees: ``gpu`` is Ray's list; variables by who set them last."""

    gpu: list[str]
    ray: dict[str, str]
    verl: dict[str, str]
    vllm: dict[str, str]
    gpus: int
    problem: str | None


class Job(TypedDict):
    """What the processes of a job see."""

    shell: dict[str, str]
    gpus: int | None
    workers: list[Process]
    server: Process | None
    problem: str | None


def variables() -> dict[str, str]:
    """The visibility variables that this process has."""
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def last_line(error: BaseException | str) -> str:
    """The line of a traceback that says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if "Error: " in line]
    return lines[-1] if lines else f"{type(error).__name__}: {error}"


# [start:worker]
def workers(gpus: int) -> list[Process]:
    """What each of ``gpus`` workers of verl sees, before and after verl's change."""
    import ray
    import torch
    from verl.single_controller.base import Worker
    from verl.single_controller.base.decorator import Dispatch, register
    from verl.single_controller.ray import (
        RayClassWithInitArgs,
        RayResourcePool,
        RayWorkerGroup,
    )

    class Look(Worker):
        def __init__(self) -> None:
            self.inherited = variables()
            self.problem = None
            try:
                super().__init__()  # verl changes the variables here
            except Exception as error:
                self.problem = last_line(f"{type(error).__name__}: {error}")

        @register(dispatch_mode=Dispatch.ONE_TO_ALL)
        def look(self) -> Process:
            gpu = ray.get_runtime_context().get_accelerator_ids()["GPU"]
            return {
                "gpu": gpu,
                "ray": self.inherited,
                "verl": variables(),
                "gpus": torch.cuda.device_count(),
                "problem": self.problem,
            }

    pool = RayResourcePool([gpus], use_gpu=True, max_colocate_count=1)
    group = RayWorkerGroup(pool, RayClassWithInitArgs(ray.remote(Look)))
    processes: list[Process] = group.look()
    return processes


# [end:worker]


# [start:server]
def server(gpus: list[str]) -> Process:
    """What the vLLM server of one replica sees, and the engine that it starts.

    Like verl's ``vLLMReplica``, it asks Ray for no GPU, tells Ray to leave the
    variables alone, and sets the list.
    """
    import ray
    from verl.plugin.platform import get_platform

    class Server:
        def look(self) -> Process:
            inherited = variables()
            os.environ[get_platform().visible_devices_envvar()] = ",".join(gpus)
            done = subprocess.run(
                [sys.executable, "-c", ENGINE], capture_output=True, text=True
            )
            engine, count = (
                json.loads(done.stdout.splitlines()[-1])
                if done.returncode == 0
                else ({}, 0)
            )
            return {
                "gpu": gpus,
                "ray": inherited,
                "verl": variables(),
                "vllm": engine,
                "gpus": count,
                "problem": last_line(done.stderr) if done.returncode else None,
            }

    names = dict.fromkeys(get_platform().ray_noset_envvars(), "1")
    actor = (
        ray.remote(Server)
        .options(runtime_env={"env_vars": names | get_platform().rollout_env_vars()})
        .remote()
    )
    process: Process = ray.get(actor.look.remote())
    return process


# [end:server]


def look(tensor_parallel: int) -> Job:
    """The whole way: this shell, Ray, the workers, the server of the first replica."""
    seen: Job = {
        "shell": variables(),
        "gpus": None,
        "workers": [],
        "server": None,
        "problem": None,
    }
    try:
        import ray  # refuses some variables at import
        from verl.trainer.constants_ppo import get_ppo_ray_runtime_env

        ray.init(runtime_env=get_ppo_ray_runtime_env(), log_to_driver=False)
        seen["gpus"] = gpus = int(ray.cluster_resources().get("GPU", 0))
        if gpus < tensor_parallel:
            seen["problem"] = (
                f"counts {gpus} GPUs, and a replica needs {tensor_parallel}"
            )
        else:
            seen["workers"] = workers(gpus)
            seen["server"] = server(
                [
                    gpu
                    for worker in seen["workers"][:tensor_parallel]
                    for gpu in worker["gpu"]
                ]
            )
        ray.shutdown()
    except Exception as error:
        seen["problem"] = last_line(error)
    return seen


def problems(seen: Job) -> list[str]:
    """What is wrong with ``seen``, one line each; none if all is well."""
    lines = [f"Ray: {seen['problem']}"] if seen.get("problem") else []
    for number, worker in enumerate(seen["workers"]):
        if worker["problem"]:
            lines.append(f"worker {number}: {worker['problem']}")
        elif worker["gpus"] < 1:
            lines.append(f"worker {number}: sees no GPU")
    if (replica := seen["server"]) and replica["problem"]:
        lines.append(f"vLLM: {replica['problem']}")
    elif replica and replica["gpus"] != len(replica["gpu"]):
        lines.append(
            f"vLLM: sees {replica['gpus']} GPUs, its replica has {len(replica['gpu'])}"
        )
    return lines


def report(seen: Job) -> list[str]:
    """``seen`` for people, one line a process."""

    def text(values: dict[str, str]) -> str:
        return (
            ", ".join(f"{name}={value}" for name, value in values.items()) or "none set"
        )

    lines = [
        f"shell         {text(seen['shell'])}",
        f"Ray           counts {seen['gpus']} GPUs",
    ]
    for number, worker in enumerate(seen["workers"]):
        ray, verl = text(worker["ray"]), text(worker["verl"])
        lines.append(f"worker {number:<6} Ray gives {ray}; verl makes {verl}")
    if replica := seen["server"]:
        lines.append(f"vLLM server   {text(replica['verl'])}")
        lines.append(f"vLLM engine   {text(replica['vllm'])}; {replica['gpus']} GPUs")
    return lines


def main() -> int:
    """Look, print lines or JSON, and say with the exit code whether all is well."""
    parser = argparse.ArgumentParser(
        description="Print which GPUs each process of a verl job would see."
    )
    parser.add_argument(
        "--tensor-parallel", type=int, default=1, help="GPUs of one vLLM replica"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    if arguments.tensor_parallel < 1:
        parser.error("--tensor-parallel must be 1 or more")
    seen = look(arguments.tensor_parallel)
    wrong = problems(seen)
    if arguments.json:
        print(json.dumps(seen | {"problems": wrong}))
    else:
        print("\n".join([*report(seen), *(wrong or ["all processes agree"])]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
