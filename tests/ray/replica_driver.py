"""A driver that runs verl's own ``run_ppo`` up to a real vLLM replica, and prints each actor's environment as JSON.

``python -m tests.ray.replica_driver OVERRIDE ...``: verl composes the configuration, starts Ray or joins it, and
creates the task runner, which starts verl's ``vLLMReplica`` and asks instead of training.  With ``LOOK=1`` the server,
verl's own in all else, starts in the place of the engine a process that imports vLLM's ROCm platform.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hydra
import ray

SHOWN = Path(os.environ["REPLICA_REPORT"])


def environ(_: Any = None) -> dict[str, str]:
    """The environment of the process that runs this."""
    return dict(os.environ)


def looking(server: type) -> type:
    """verl's server class with a process that looks in the place of the engine."""
    from snippets.how_to.choose_the_gpus import ENGINE, last_line

    class Looking(server):  # type: ignore[misc]
        async def launch_server(self, *_: object, **__: object) -> None:
            done = subprocess.run([sys.executable, "-c", ENGINE], capture_output=True, text=True)
            lines = done.stdout.splitlines()
            self.engine = json.loads(lines[-1])[0] if done.returncode == 0 else last_line(done.stderr)
            self._server_port = 1

    return Looking


@ray.remote
class Runner:
    """In the place of verl's task runner."""

    def run(self, config: Any) -> None:
        from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMReplica

        look = bool(os.environ.get("LOOK"))
        replica = vLLMReplica(
            0, config.actor_rollout_ref.rollout, config.actor_rollout_ref.model, config.trainer.n_gpus_per_node
        )
        if look:
            replica.server_class = ray.remote(looking(replica.server_class.__ray_metadata__.modified_class))
        asyncio.run(replica.init_standalone())
        seen = {
            "task runner": environ(),
            "worker": ray.get(replica.workers[0].__ray_call__.remote(environ)),
            "server": ray.get(replica.servers[0].__ray_call__.remote(environ)),
        }
        if look:
            seen["engine"] = ray.get(replica.servers[0].__ray_call__.remote(lambda server: server.engine))
        SHOWN.write_text(json.dumps(seen))


def main() -> None:
    """Compose and run."""
    from verl.trainer.main_ppo import run_ppo

    with hydra.initialize_config_module("verl.trainer.config", version_base=None):
        config = hydra.compose("ppo_trainer", overrides=sys.argv[1:])
    run_ppo(config, Runner)


if __name__ == "__main__":
    main()
