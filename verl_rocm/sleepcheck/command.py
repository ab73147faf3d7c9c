"""The command ``sleep-check``."""

from __future__ import annotations

import importlib.util
import sys
from typing import Annotated

import typer

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"


def run(options: dict[str, object], weight_sync: bool, level: int, bucket_mb: int) -> int:
    """Check; 0 sleep mode works, 1 it does not, 2 it could not be checked."""
    needed = ("vllm", "verl") if weight_sync else ("vllm",)
    if absent := [name for name in needed if importlib.util.find_spec(name) is None]:
        print(
            f"error: {sys.executable} has no {' and no '.join(absent)}: take the Python of your rollout",
            file=sys.stderr,
        )
        return 2
    from verl_rocm.sleepcheck.check import Options, both_levels, check
    from verl_rocm.sleepcheck.counters import time_limit

    wished = Options(**options)  # type: ignore[arg-type]
    with time_limit(wished.timeout):
        if not weight_sync:
            return check(wished, both_levels)
        from verl_rocm.sleepcheck.sync import in_verls_order

        return in_verls_order(wished, level, bucket_mb)


def register(app: typer.Typer) -> None:
    """Add the command ``sleep-check`` to ``app``."""

    @app.command("sleep-check")
    def sleep_check(
        model: Annotated[str, typer.Option(help="A name or a directory.")] = MODEL,
        tensor_parallel_size: Annotated[int, typer.Option(min=1, help="GPUs of the engine.")] = 1,
        kv_cache_gib: Annotated[float, typer.Option(min=0.001, help="KV cache on each GPU, GiB.")] = 8,
        gpu_memory_utilization: Annotated[
            float | None, typer.Option(min=0.01, max=1, help="Lower it where the GPU is shared.")
        ] = None,
        max_model_len: Annotated[int, typer.Option(min=64, help="Longest sequence, tokens.")] = 2048,
        enforce_eager: Annotated[
            bool, typer.Option("--enforce-eager", help="No graphs: to find the cause of a failure.")
        ] = False,
        cycles: Annotated[int, typer.Option(min=1, help="Sleeps and wake-ups; 5 or more can show a leak.")] = 20,
        timeout: Annotated[float, typer.Option(min=1, help="Seconds for the whole check.")] = 1800,
        weight_sync: Annotated[
            bool, typer.Option("--weight-sync", help="In verl's order, with verl's own weight sync in between.")
        ] = False,
        level: Annotated[int, typer.Option(min=1, max=2, help="With --weight-sync: verl's sleep level.")] = 2,
        bucket_mb: Annotated[
            int, typer.Option(min=1, help="With --weight-sync: verl's update_weights_bucket_megabytes.")
        ] = 2048,
    ) -> None:
        """Sleep and wake an engine: do memory and model come back? Exit code: 0 they do, 1 not, 2 not checked."""
        options: dict[str, object] = {
            "model": model,
            "tensor_parallel_size": tensor_parallel_size,
            "kv_cache_gib": kv_cache_gib,
            "gpu_memory_utilization": gpu_memory_utilization,
            "max_model_len": max_model_len,
            "enforce_eager": enforce_eager,
            "cycles": cycles,
            "timeout": timeout,
        }
        raise typer.Exit(run(options, weight_sync, level, bucket_mb))
