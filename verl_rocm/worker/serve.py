"""verl's own server class, up to the point at which it would start the engine."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import placeholders
from .compose import standalone
from .problem import Refused, first_line
from .wire import Kind

ENV_VARS = "ray_kwargs.ray_init.runtime_env.env_vars"
ADDRESS, PORT = "127.0.0.1", 20000


class Reached(BaseException):
    """The engine would start now; carries what it would start with."""

    def __init__(self, vllm_config: Any) -> None:
        super().__init__()
        self.vllm_config = vllm_config


def validate(config: Any, whole: bool) -> None:
    """Run verl's checks as its entry point does: of the ``whole`` config, or only of what an async trainer converts.

    Raises:
        Refused: verl refuses the config.
    """
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config
    from verl.utils.device import auto_set_device

    try:
        auto_set_device(config)
        if whole:
            validate_config(config, need_reference_policy(config), need_critic(config))
        elif standalone(config):
            omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    except Exception as error:  # asserts, ValueErrors and OmegaConf's own kinds
        raise Refused("verl", first_line(error), "", Kind.VERL) from None


@dataclass
class Handed:
    """What verl hands to vLLM: the arguments, and the command line that it builds from them."""

    arguments: dict[str, Any] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Served:
    """verl's server of the first replica at the point where it would start vLLM's engine."""

    server: Any
    replica: Any
    mode: str
    vllm_config: Any
    handed: Handed


def replica(config: Any, model_config: Any) -> tuple[Any, Any]:
    """verl's replica, which knows on how many nodes one engine runs, and verl's rollout config.

    Raises:
        Refused: verl refuses.
    """
    from verl.utils.config import omega_conf_to_dataclass
    from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMReplica

    gpus = config.rollout.n_gpus_per_node if standalone(config) else config.trainer.n_gpus_per_node
    try:
        rollout = omega_conf_to_dataclass(config.actor_rollout_ref.rollout)
        return vLLMReplica(replica_rank=0, config=rollout, model_config=model_config, gpus_per_node=gpus), rollout
    except Exception as error:
        raise Refused("verl", first_line(error)) from None


def no_cluster(module: Any, handed: Handed) -> None:
    """Answer, for verl's server, what a Ray cluster and the network would say; neither is there."""
    import ray

    class Context:
        def get_job_id(self) -> str:
            return "dry-run"

    ray.get_runtime_context = Context
    ray.util.get_node_ip_address = lambda *_: ADDRESS
    ports = iter(range(PORT, PORT + 100))
    module.get_free_port = lambda *_, **__: (next(ports), None)
    build = module.build_cli_args_from_config

    def remember(arguments: dict[str, Any]) -> list[str]:
        handed.arguments = dict(arguments)
        handed.command = list(build(arguments))
        return list(handed.command)

    module.build_cli_args_from_config = remember


def _stop_at_engine(module: Any) -> None:
    def from_vllm_config(vllm_config: Any, usage_context: Any = None, **_: Any) -> None:
        raise Reached(vllm_config)

    module.AsyncLLM.from_vllm_config = staticmethod(from_vllm_config)


def inspect_here() -> None:
    """vLLM looks at a model class in a process of its own, to keep CUDA out of the first; this fork is one already."""
    from vllm.model_executor.models import registry

    registry._run_in_subprocess = lambda look: look()
    placeholders.install("torchvision")  # every image for vLLM has it; the CPU environment of this guide does not


def _refuse_by_exception() -> None:
    """vLLM's parser ends the process on a flag that it does not know; here it says so to the dry run."""
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    def error(self: Any, message: str) -> None:
        raise Refused("vllm", message, "", Kind.VLLM)

    FlexibleArgumentParser.error = error


def serve(config: Any, model_config: Any) -> Served:
    """Let verl build the server of the first replica and vLLM resolve its arguments.

    Raises:
        Refused: verl or vLLM refuses.
    """
    from verl.workers.rollout.replica import RolloutMode
    from verl.workers.rollout.vllm_rollout import vllm_async_server as module

    handed = Handed()
    group, rollout = replica(config, model_config)
    no_cluster(module, handed)
    _stop_at_engine(module)
    _refuse_by_exception()
    inspect_here()
    count = group.gpus_per_replica_node
    mode = RolloutMode.STANDALONE if standalone(config) else RolloutMode.HYBRID
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            server = module.vLLMHttpServer(
                config=rollout,
                model_config=model_config,
                rollout_mode=mode,
                workers=[None] * count,
                replica_rank=0,
                node_rank=0,
                gpus_per_node=count,
                nnodes=group.nnodes,
                cuda_visible_devices=",".join(str(index) for index in range(count)),
            )
            asyncio.run(server.launch_server())
    except Reached as reached:
        return Served(server, group, mode.value, reached.vllm_config, handed)
    except Refused:
        raise
    except (Exception, SystemExit) as error:
        if handed.arguments:
            raise Refused("vllm", first_line(error), "", Kind.VLLM) from error
        raise Refused("verl", first_line(error)) from error
    raise Refused("vllm", "vLLM's engine was never asked to start", "this is a fault of the dry run", Kind.FAULT)


def environment(config: Any, exported: Mapping[str, str]) -> dict[str, str]:
    """Variables of the workers: what the script ``exported``, verl's runtime environment, the server's, the user's own.

    verl leaves out what the launching shell has: workers of a Ray that the same shell starts inherit it.

    Source: ``run_ppo`` in verl/trainer/main_ppo.py and ``launch_servers`` in vllm_async_server.py, verl 0.9.1.
    """
    from omegaconf import OmegaConf
    from verl.plugin.platform import get_platform
    from verl.trainer.constants_ppo import get_ppo_ray_runtime_env

    sent = dict(exported) | get_ppo_ray_runtime_env(config)["env_vars"]
    own = OmegaConf.select(config, ENV_VARS) or {}
    if not hasattr(own, "items"):
        raise Refused("compose", f"{ENV_VARS} is {own}", "write .NAME=value", Kind.MALFORMED)
    sent |= {str(key): str(value) for key, value in own.items()}
    sent |= dict.fromkeys(get_platform().ray_noset_envvars(), "1")
    sent |= get_platform().rollout_env_vars()
    return {name: str(value) for name, value in sorted(sent.items()) if value is not None}


def apply(sent: dict[str, str]) -> None:
    """Set what verl sends, as Ray would in the server's process, before vLLM reads it."""
    os.environ.update({name: value for name, value in sent.items() if not name.startswith("RAY_")})
