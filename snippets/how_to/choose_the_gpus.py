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
from typing import Any

NAMES = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
# vLLM compares the variables when its ROCm platform is imported, in each process.
ENGINE = f"""
import json, os
import vllm.platforms.rocm, torch
present = {{n: os.environ[n] for n in {NAMES} if n in os.environ}}
print(json.dumps([present, torch.cuda.device_count()]))
"""


def variables() -> dict[str, str]:
    """The visibility variables that this process has."""
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def last_line(error: BaseException | str) -> str:
    """The line of a traceback that says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if "Error: " in line]
    return lines[-1] if lines else f"{type(error).__name__}: {error}"


# [start:worker]
def workers(gpus: int) -> list[dict[str, Any]]:
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
            self.given = variables()
            self.problem = None
            try:
                super().__init__()  # verl changes the variables here
            except Exception as error:
                self.problem = last_line(f"{type(error).__name__}: {error}")

        @register(dispatch_mode=Dispatch.ONE_TO_ALL)
        def look(self) -> dict[str, Any]:
            gpu = ray.get_runtime_context().get_accelerator_ids()["GPU"]
            seen = {
                "gpu": gpu,
                "ray": self.given,
                "verl": variables(),
                "gpus": torch.cuda.device_count(),
            }
            return seen | {"problem": self.problem}

    pool = RayResourcePool([gpus], use_gpu=True, max_colocate_count=1)
    found: list[dict[str, Any]] = RayWorkerGroup(
        pool, RayClassWithInitArgs(ray.remote(Look))
    ).look()
    return found


# [end:worker]


# [start:server]
def server(gpus: list[str]) -> dict[str, Any]:
    """What the vLLM server of one replica sees, and the engine that it starts.

    Like verl's ``vLLMReplica``, it asks Ray for no GPU, tells Ray to leave the
    variables alone, and sets the list.
    """
    import ray
    from verl.plugin.platform import get_platform

    class Server:
        def look(self) -> dict[str, Any]:
            given = variables()
            os.environ[get_platform().visible_devices_envvar()] = ",".join(gpus)
            done = subprocess.run(
                [sys.executable, "-c", ENGINE], capture_output=True, text=True
            )
            engine, count = (
                json.loads(done.stdout.splitlines()[-1])
                if done.returncode == 0
                else ({}, 0)
            )
            seen = {
                "gpu": gpus,
                "ray": given,
                "verl": variables(),
                "vllm": engine,
                "gpus": count,
            }
            return seen | {
                "problem": last_line(done.stderr) if done.returncode else None
            }

    names = dict.fromkeys(get_platform().ray_noset_envvars(), "1")
    actor = (
        ray.remote(Server)
        .options(runtime_env={"env_vars": names | get_platform().rollout_env_vars()})
        .remote()
    )
    found: dict[str, Any] = ray.get(actor.look.remote())
    return found


# [end:server]


def look(tensor_parallel: int) -> dict[str, Any]:
    """The whole way: this shell, Ray, the workers, the server of the first replica."""
    seen: dict[str, Any] = {
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
        seen["gpus"] = int(ray.cluster_resources().get("GPU", 0))
        if seen["gpus"] < tensor_parallel:
            seen["problem"] = (
                f"counts {seen['gpus']} GPUs, and a replica needs {tensor_parallel}"
            )
        else:
            seen["workers"] = workers(seen["gpus"])
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


def problems(seen: dict[str, Any]) -> list[str]:
    """What is wrong with ``seen``, one line each; none if all is well."""
    found = [f"Ray: {seen['problem']}"] if seen.get("problem") else []
    for number, worker in enumerate(seen["workers"]):
        if worker["problem"]:
            found.append(f"worker {number}: {worker['problem']}")
        elif worker["gpus"] < 1:
            found.append(f"worker {number}: sees no GPU")
    if (made := seen["server"]) and made["problem"]:
        found.append(f"vLLM: {made['problem']}")
    elif made and made["gpus"] != len(made["gpu"]):
        found.append(
            f"vLLM: sees {made['gpus']} GPUs, its replica has {len(made['gpu'])}"
        )
    return found


def report(seen: dict[str, Any]) -> list[str]:
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
    if made := seen["server"]:
        lines.append(f"vLLM server   {text(made['verl'])}")
        lines.append(f"vLLM engine   {text(made['vllm'])}; {made['gpus']} GPUs")
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
    given = parser.parse_args()
    if given.tensor_parallel < 1:
        parser.error("--tensor-parallel must be 1 or more")
    seen = look(given.tensor_parallel)
    wrong = problems(seen)
    if given.json:
        print(json.dumps(seen | {"problems": wrong}))
    else:
        print("\n".join([*report(seen), *(wrong or ["all processes agree"])]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
