"""The job's model: a folder with its config in place of the hub, and verl's own object of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from verl_rocm import models

from .problem import Refused, first_line
from .wire import Kind, Placed, Request


def place_model(config: Any, request: Request) -> tuple[str, Placed]:
    """Point the composed config at an architecture config; the tokenizer plays no part and is left out.

    Returns:
        The job's own name of the model, and where its config lies.

    Raises:
        Refused: nobody has that model.
    """
    from omegaconf import OmegaConf

    model = config.actor_rollout_ref.model
    named = str(model.path)
    wished = request.model or named
    placed = request.models.get(wished) or _bundled(wished, Path(request.folder))
    if placed is None:
        message = f"model {wished} is neither a directory nor bundled"
        hint = "give --model DIR, a bundled name (--models lists them), or a hub name with a network"
        raise Refused("model", message, hint, Kind.UNKNOWN_MODEL, model=wished)
    os.environ.setdefault("VERL_ROCM_MODEL", placed.directory)
    OmegaConf.set_struct(model, False)
    model.path, model.load_tokenizer = placed.directory, False
    model.hf_config_path = model.tokenizer_path = None
    model.use_shm, model.lora_adapter_path, model.external_lib = False, None, None
    model.custom_chat_template = None
    critic = OmegaConf.select(config, "critic.model")
    if critic is not None and "path" in critic:  # verl loads it to check the critic's settings
        OmegaConf.set_struct(critic, False)
        critic.path, critic.load_tokenizer = placed.directory, False
        critic.hf_config_path = critic.tokenizer_path = None
    return named, placed


def _bundled(name: str, folder: Path) -> Placed | None:
    """The config of a model that no command line names, but a config file of the user's own."""
    model = models.place(name, folder)
    return Placed(directory=str(model.directory), source=model.source) if model else None


def model_config(config: Any, named: str) -> Any:
    """verl's model config object.

    Raises:
        Refused: transformers or verl refuses the model.
    """
    from verl.utils.config import omega_conf_to_dataclass

    try:
        return omega_conf_to_dataclass(config.actor_rollout_ref.model)
    except Exception as error:
        raise Refused("model", f"{named}: {first_line(error)}", "", Kind.MODEL) from None
