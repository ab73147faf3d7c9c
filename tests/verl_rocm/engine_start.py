"""Really start the CPU engine through verl's own server class, and say ``started`` (for :mod:`tests.verl_rocm.bench`).

``python -m tests.verl_rocm.engine_start OVERRIDES``: the same composition and the same server class as a dry run, on
verl's CPU platform (:mod:`tests.support.verl_on_cpu`), and it does not stop where the engine starts.
"""

from __future__ import annotations

import asyncio
import sys

from verl_rocm.worker import compose, serve


def start(overrides: list[str]) -> None:
    """Let verl's server of the first replica start its engine, and stay with it."""
    from omegaconf import OmegaConf
    from verl.utils.config import omega_conf_to_dataclass
    from verl.workers.rollout.replica import RolloutMode
    from verl.workers.rollout.vllm_rollout import vllm_async_server as module

    config, _, _ = compose.compose("verl.trainer.main_ppo", overrides)
    OmegaConf.resolve(config)
    serve.validate(config, whole=True)
    model = omega_conf_to_dataclass(config.actor_rollout_ref.model)
    group, rollout = serve.replica(config, model)
    serve.no_cluster(module, serve.Handed())
    server = module.vLLMHttpServer(
        config=rollout,
        model_config=model,
        rollout_mode=RolloutMode.HYBRID,
        workers=[None],
        replica_rank=0,
        node_rank=0,
        gpus_per_node=1,
        nnodes=group.nnodes,
        cuda_visible_devices="",
    )

    async def launch() -> None:
        await server.launch_server()
        ready = await server.engine.get_supported_tasks()
        print("started", *ready, flush=True)
        await asyncio.sleep(60)  # whoever started this ends it, and the engine's own processes with it

    asyncio.run(launch())


if __name__ == "__main__":
    start(sys.argv[1:])
