"""The sleep level of verl's server, by verl's own method on an engine that only notes what it is told."""

from __future__ import annotations

import asyncio
from typing import Any


class _Engine:
    """Stands for vLLM's engine while verl puts it to sleep."""

    level = 0

    async def sleep(self, level: int) -> None:
        """Note the level."""
        self.level = level

    async def reset_encoder_cache(self) -> None:
        """Nothing is cached."""


def level(server: Any) -> int:
    """The level at which ``server`` puts a hybrid engine to sleep; releases of verl differ in where they choose it."""
    engine = _Engine()
    server.engine = engine
    asyncio.run(server._sleep_hybrid())
    return engine.level
