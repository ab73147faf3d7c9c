"""Engines that verl starts beside the actor's rollout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import resolve
from .wire import OtherEngine

SHOWN = ("name", "tensor_model_parallel_size", "enforce_eager", "gpu_memory_utilization", "free_cache_engine")


def other_engines(config: Any) -> Iterator[OtherEngine]:
    """Rollouts beside the actor's, which verl starts as engines of their own: reward model, and teachers."""
    from omegaconf import OmegaConf

    parts: list[tuple[str, str, str]] = []
    if OmegaConf.select(config, "reward.reward_model.enable"):
        parts.append(("reward model", "reward.reward_model", "rollout"))
    if OmegaConf.select(config, "distillation.enabled"):
        teachers = OmegaConf.select(config, "distillation.teacher_models") or {}
        parts += [("teacher", f"distillation.teacher_models.{name}", "inference") for name in teachers]
    for what, key, part in parts:
        path, engine = OmegaConf.select(config, f"{key}.model_path"), OmegaConf.select(config, f"{key}.{part}")
        if path and engine:
            settings = {name: resolve.plain(engine.get(name)) for name in SHOWN}
            yield OtherEngine(what=what, key=f"{key}.{part}", model=str(path), settings=settings)
