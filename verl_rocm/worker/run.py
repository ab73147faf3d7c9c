"""One dry run, stage by stage, each by the project whose decision it is: from a request to an answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from . import attention, compose, devices, memory, resolve, serve, sleep
from .explain import missing_field
from .journey import journey, requested_graphs
from .keys import scalars
from .model import model_config, place_model
from .others import other_engines
from .overrides import by_key
from .problem import Refused, first_line
from .sizes import sizes
from .stages import Stages, heard
from .wire import (
    LEFT_OUT,
    ROLLOUT,
    Answer,
    Kind,
    Placed,
    Problem,
    Refusal,
    Request,
    Resolution,
    Sizes,
    Sleep,
)


def _scope(config: Any) -> None:
    """Refuse what a dry run does not cover, and keys without which nothing can be asked."""
    from omegaconf import OmegaConf

    for key in ("actor_rollout_ref.model.path", f"{ROLLOUT}.name"):
        if OmegaConf.select(config, key) is None:
            raise Refused("compose", f"{key} is not set", f"add {key}=...", Kind.MISSING, key=key)


def _interpolate(config: Any) -> None:
    from omegaconf import OmegaConf

    try:
        OmegaConf.resolve(config)
    except Exception as error:
        raise Refused("compose", first_line(error), "", Kind.COMPOSE) from None
    name = config.actor_rollout_ref.rollout.name
    if name != "vllm":
        raise Refused("scope", f"{ROLLOUT}.name is {name}", "the dry run covers vllm", Kind.OTHER_BACKEND)


def _see_devices(config: Any, request: Request, variables: dict[str, str]) -> Sizes:
    """Sizes of the job on the GPUs that its variables leave visible, as Ray, verl and vLLM read them."""
    seen = devices.visible(variables, request.identity.count)
    job_sizes = sizes(config, request, len(seen))
    devices.serve(variables, seen[: min(job_sizes.gpus_of_one_engine, job_sizes.gpus_per_node)])
    return job_sizes


def _validate(config: Any, request: Request, overrides: Sequence[str]) -> None:
    try:
        serve.validate(config, compose.validates(request.launcher))
    except Refused as refused:
        hint = missing_field(refused.problem.message, config, overrides)
        raise Refused("verl", refused.problem.message, hint) from None


def _resolution(
    served: serve.Served,
    config: Any,
    of_verl: Any,
    placed: Placed,
    named: str,
    job_sizes: Sizes,
    sent: dict[str, str],
    overrides: Sequence[str],
    warnings: Sequence[str],
) -> Resolution:
    rollout, vllm_config = config.actor_rollout_ref.rollout, served.vllm_config
    sleeps = served.mode == "hybrid" and bool(rollout.free_cache_engine)
    texts = by_key(overrides)
    switch = os.environ.get("VLLM_ROCM_USE_AITER")
    return Resolution(
        model=resolve.model(vllm_config, named, placed.source, of_verl.architectures[0]),
        sizes=job_sizes.model_copy(update={"nodes_of_one_engine": served.replica.nnodes}),
        journey=journey(served, config, texts),
        command=("vllm", "serve", named, *served.handed.command),
        graphs=resolve.graphs(vllm_config, requested_graphs(served)),
        runner=resolve.runner(vllm_config),
        precision=resolve.precision(),
        sleep=Sleep(
            mode=served.mode,
            free_cache_engine=bool(rollout.free_cache_engine),
            pool=bool(vllm_config.model_config.enable_sleep_mode),
            level=sleep.level(served.server) if sleeps else 0,
        ),
        environment=sent,
        overrides=texts,
        others=tuple(other_engines(config)),
        resolved=resolve.resolved(vllm_config),
        config=scalars(config),
        warnings=tuple(warnings),
        attention=attention.choices(vllm_config, switch),  # last: AITER's presence cannot be taken back
    )


def answer(request: Request, variables: dict[str, str]) -> Answer:
    """The answer to one request, with the visibility ``variables`` of the job.

    Raises:
        Refused: nothing can be composed at all.
    """
    config, overrides, refused = compose.compose(request.launcher, request.arguments)
    own = [problem for problem in refused if request.foreign and problem.kind in (Kind.UNKNOWN_KEY, Kind.APPEND)]
    stages = Stages([problem for problem in refused if problem not in own])
    if config is None:
        return stages.refusal()
    stages.run(lambda: _scope(config))
    if any(problem.kind is Kind.MISSING for problem in stages.problems):
        return stages.refusal()
    model = stages.run(lambda: place_model(config, request))
    stages.run(lambda: _interpolate(config))
    if any(problem.kind in (Kind.COMPOSE, Kind.OTHER_BACKEND) for problem in stages.problems):
        return stages.refusal()
    job_sizes = stages.run(lambda: _see_devices(config, request, variables))
    sent = stages.run(lambda: serve.environment(config, request.environment))
    if model is None or sent is None:
        return stages.refusal()
    serve.apply(sent)
    stages.run(lambda: _validate(config, request, overrides))
    if stages.problems or job_sizes is None:
        return stages.refusal()
    named, placed = model
    of_verl = model_config(config, named)
    with heard() as warnings:
        served = serve.serve(config, of_verl)
        weighing = memory.Weighing(served.vllm_config, config, request.identity)
    if own:
        warnings.append(f"{LEFT_OUT} {request.launcher}: {', '.join(str(problem.key) for problem in own)}")
    resolution = _resolution(served, config, of_verl, placed, named, job_sizes, sent, overrides, warnings)
    return resolution.model_copy(update={"memory": weighing.finish()})


def run(request: Request, variables: dict[str, str]) -> Answer:
    """The answer to one request; never raises."""
    try:
        return answer(request, variables)
    except Refused as refused:
        return Refusal(problems=(refused.problem,))
    except Exception as error:
        if os.environ.get("VERL_ROCM_DEBUG"):
            raise
        message = f"{type(error).__name__}: {first_line(error)}"
        hint = "this is a fault of the dry run; VERL_ROCM_DEBUG=1 shows where"
        return Refusal(problems=(Problem(kind=Kind.FAULT, stage="fault", message=message, hint=hint),))
