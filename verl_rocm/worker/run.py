"""One dry run: from a request to a plain dictionary."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from . import compose, devices, resolve, serve
from .problem import Problem, first_line

# vLLM argument -> verl key that verl builds it from (vllm_async_server.py, verl 0.9.1); R stands for the rollout.
R = "actor_rollout_ref.rollout"
KEYS = {
    "tensor_parallel_size": f"{R}.tensor_model_parallel_size",
    "trust_remote_code": "actor_rollout_ref.model.trust_remote_code",
    "cudagraph_capture_sizes": f"{R}.cudagraph_capture_sizes",
    "enable_expert_parallel": f"{R}.expert_parallel_size",
    "max_lora_rank": "actor_rollout_ref.model.lora_rank",
}
SAME = (
    "dtype",
    "load_format",
    "max_model_len",
    "max_num_seqs",
    "enable_chunked_prefill",
    "max_num_batched_tokens",
    "enable_prefix_caching",
    "enable_sleep_mode",
    "logprobs_mode",
    "enforce_eager",
    "gpu_memory_utilization",
    "disable_log_stats",
    "seed",
    "quantization",
    "scheduling_policy",
    "data_parallel_size",
)
SHOWN = ("name", "tensor_model_parallel_size", "enforce_eager", "gpu_memory_utilization", "free_cache_engine")
HIDDEN = {
    "override_generation_config",
    "hf_overrides",
    "compilation_config",
    "worker_extension_cls",
    "skip_tokenizer_init",
    "disable_log_stats",
}


class _Said(logging.Handler):
    """Keeps what vLLM warns about while it resolves."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        if text not in self.lines:
            self.lines.append(text)


def _key(argument: str, engine_kwargs: dict[str, Any]) -> str:
    if argument in engine_kwargs:
        return f"{R}.engine_kwargs.vllm.{argument}"
    return KEYS.get(argument) or (f"{R}.{argument}" if argument in SAME else "")


def _flags(command: list[str]) -> dict[str, str]:
    """What stands on vLLM's command line for each argument: ``--flag``, ``--no-flag``, or its text."""
    found, index = {}, 0
    while index < len(command):
        word = command[index]
        index += 1
        if not word.startswith("--"):
            continue
        values = []
        while index < len(command) and not command[index].startswith("--"):
            values.append(command[index])
            index += 1
        name = word[2:].removeprefix("no-") if not values else word[2:]
        found[name.replace("-", "_")] = " ".join([word, *values])
    return found


def journey(made: dict[str, Any], config: Any, given: dict[str, str]) -> list[dict[str, Any]]:
    """A row for each argument, in verl's order: override, verl's value, what is sent, what vLLM makes of it."""
    from omegaconf import OmegaConf

    kwargs = OmegaConf.to_container(config.actor_rollout_ref.rollout.engine_kwargs, resolve=True).get("vllm") or {}
    sent, ends = _flags(made["command"]), resolve.resolved(made["vllm_config"])
    rows = []
    for argument, value in made["arguments"].items():
        if argument in HIDDEN:
            continue
        key = _key(argument, kwargs)
        rows.append(
            {
                "argument": argument,
                "key": key,
                "override": given.get(key),
                "verl": resolve.plain(value),
                "sent": sent.get(argument),
                "vllm": ends.get(argument),
                "known": argument in ends,
            }
        )
    graphs = resolve.graphs(made["vllm_config"])
    sizes = config.actor_rollout_ref.rollout.get("cudagraph_capture_sizes")
    asked = json.loads(made["arguments"]["compilation_config"])
    for argument, key, value, end in (
        (
            "cudagraph_capture_sizes",
            f"{R}.cudagraph_capture_sizes",
            resolve.plain(list(sizes) if sizes else None),
            graphs["sizes"],
        ),
        (
            "cudagraph_mode",
            f"{R}.engine_kwargs.vllm.compilation_config.cudagraph_mode",
            asked.get("cudagraph_mode"),
            graphs["mode"],
        ),
    ):
        text = f'{{"{argument}": {json.dumps(asked[argument])}}}' if argument in asked else None
        rows.append(
            {
                "argument": argument,
                "key": key,
                "override": given.get(key),
                "verl": value,
                "sent": f"--compilation_config {text}" if text else None,
                "vllm": end,
                "known": True,
            }
        )
    return rows


def _whole(part: Any, key: str) -> int:
    """A number of GPUs, nodes or ways.

    Raises:
        Problem: it is none.
    """
    value = part.get(key.rpartition(".")[2])
    try:
        found = int(value)
    except (TypeError, ValueError):
        found = 0
    if found < 1:
        raise Problem("compose", f"{key} is {value}", "give a whole number of 1 or more", "malformed")
    return found


def _sizes(config: Any, request: dict[str, Any], seen: int) -> dict[str, int]:
    """GPUs and nodes of the rollout, checked against the machine.

    Raises:
        Problem: the job asks for more than there is.
    """
    part, name = (config.rollout, "rollout") if compose.standalone(config) else (config.trainer, "trainer")
    gpus, nodes = _whole(part, f"{name}.n_gpus_per_node"), _whole(part, f"{name}.nnodes")
    if gpus > seen:
        raise Problem(
            "devices",
            f"{name}.n_gpus_per_node is {gpus}, but a node has {seen} GPUs",
            f"lower {name}.n_gpus_per_node, or give --gpus {gpus}",
            "gpus",
        )
    if request.get("nodes") and nodes > request["nodes"]:
        raise Problem(
            "devices",
            f"{name}.nnodes is {nodes}, but there are {request['nodes']} nodes",
            f"lower {name}.nnodes, or give --nodes {nodes}",
            "gpus",
        )
    rollout = config.actor_rollout_ref.rollout
    world = _whole(rollout, f"{R}.tensor_model_parallel_size") * _whole(rollout, f"{R}.data_parallel_size")
    if world > gpus * nodes or gpus * nodes % world:
        raise Problem(
            "verl",
            f"one engine needs {world} GPUs (tensor x data parallel), which do not divide {gpus * nodes} GPUs",
            f"change {R}.tensor_model_parallel_size",
            "gpus",
        )
    return {"gpus_per_node": gpus, "nodes": nodes, "gpus_of_one_engine": world, "replicas": gpus * nodes // world}


def others(config: Any) -> list[dict[str, Any]]:
    """Rollouts beside the actor's, which verl starts as engines of their own: reward model, and teachers."""
    from omegaconf import OmegaConf

    found: list[tuple[str, str, str]] = []
    if OmegaConf.select(config, "reward.reward_model.enable"):
        found.append(("reward model", "reward.reward_model", "rollout"))
    if OmegaConf.select(config, "distillation.enabled"):
        teachers = OmegaConf.select(config, "distillation.teacher_models") or {}
        found += [("teacher", f"distillation.teacher_models.{name}", "inference") for name in teachers]
    made = []
    for what, key, part in found:
        path, engine = OmegaConf.select(config, f"{key}.model_path"), OmegaConf.select(config, f"{key}.{part}")
        if path and engine:
            asked = {name: resolve.plain(engine.get(name)) for name in SHOWN}
            made.append({"what": what, "key": f"{key}.{part}", "model": str(path), **asked})
    return made


def _place_model(config: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Point the composed config at the request's architecture config; the tokenizer plays no part and is left out.

    Raises:
        Problem: nobody has that model.
    """
    from omegaconf import OmegaConf

    model = config.actor_rollout_ref.model
    asked = str(model.path)
    found = request["models"].get(request.get("model") or asked)
    if found is None:
        raise Problem(
            "model",
            f"model {request.get('model') or asked} is neither a directory nor bundled",
            "give --model DIR, a bundled name (--models lists them), or a hub name with a network",
            "unknown model",
        )
    OmegaConf.set_struct(model, False)
    model.path, model.load_tokenizer = found["directory"], False
    model.hf_config_path = model.tokenizer_path = None
    model.use_shm, model.lora_adapter_path, model.external_lib = False, None, None
    model.custom_chat_template = None
    critic = OmegaConf.select(config, "critic.model")
    if (
        critic is not None and "path" in critic
    ):  # verl loads it to check the critic's settings; the rollout has no critic
        OmegaConf.set_struct(critic, False)
        critic.path, critic.load_tokenizer = found["directory"], False
        critic.hf_config_path = critic.tokenizer_path = None
    return {"asked": asked, "source": found["source"]}


def _model(config: Any, named: dict[str, Any]) -> Any:
    """verl's model config object.

    Raises:
        Problem: transformers or verl refuses the model.
    """
    from verl.utils.config import omega_conf_to_dataclass

    try:
        made = omega_conf_to_dataclass(config.actor_rollout_ref.model)
    except Exception as error:
        raise Problem("model", f"{named['asked']}: {first_line(error)}", "", "model refused") from None
    named["architecture"] = made.architectures[0]
    return made


def _rows(request: dict[str, Any], given_devices: dict[str, str]) -> dict[str, Any]:
    config, overrides = compose.compose(request["launcher"], request["arguments"])
    from omegaconf import OmegaConf

    for key in ("actor_rollout_ref.model.path", f"{R}.name"):
        if OmegaConf.select(config, key) is None:
            raise Problem("compose", f"{key} is not set", f"add {key}=...", "missing")
    model = _place_model(config, request)
    try:
        OmegaConf.resolve(config)
    except Exception as error:
        raise Problem("compose", first_line(error), "", "compose") from None
    rollout = config.actor_rollout_ref.rollout
    if rollout.name != "vllm":
        raise Problem("scope", f"{R}.name is {rollout.name}", "the dry run covers vllm", "other backend")
    seen = devices.visible(given_devices, request["identity"]["count"])
    sizes = _sizes(config, request, len(seen))
    devices.serve(given_devices, seen[: min(sizes["gpus_of_one_engine"], sizes["gpus_per_node"])])
    sent = serve.environment(config, request.get("environment", {}))
    serve.apply(sent)
    try:
        serve.validate(config, compose.validates(request["launcher"]))
    except Problem as problem:
        problem.hint = compose.missing_field(problem.message, config, overrides)
        raise
    model_config = _model(config, model)
    said = _Said()
    for name in ("vllm", "verl"):
        logging.getLogger(name).addHandler(said)
    made = serve.serve(config, model_config)
    vllm_config, server = made["vllm_config"], made["server"]
    given = compose.given(overrides)
    switch = os.environ.get("VLLM_ROCM_USE_AITER")
    sleeps = made["mode"] == "hybrid" and bool(rollout.free_cache_engine)
    result = {
        "model": model,
        "sizes": sizes | {"nodes_of_one_engine": made["replica"].nnodes},
        "journey": journey(made, config, given),
        "command": ["vllm", "serve", model["asked"], *made["command"]],
        "graphs": resolve.graphs(vllm_config) | {"asked": json.loads(made["arguments"]["compilation_config"])},
        "runner": resolve.runner(vllm_config),
        "precision": resolve.precision(),
        "sleep": {
            "mode": made["mode"],
            "free_cache_engine": bool(rollout.free_cache_engine),
            "pool": bool(vllm_config.model_config.enable_sleep_mode),
            "level": server._resolve_sleep_level() if sleeps else 0,
        },
        "environment": sent,
        "settings": dict(given),
        "others": others(config),
        "resolved": resolve.resolved(vllm_config),
        "said": said.lines,
    }
    result["attention"] = resolve.attention(vllm_config, switch)
    return result


def run(request: dict[str, Any], given_devices: dict[str, str]) -> dict[str, Any]:
    """The report of one request; ``problem`` in it where something refused. Never raises."""
    for folder in {str(Path(found["directory"])) for found in request["models"].values()}:
        os.environ.setdefault("VERL_ROCM_MODEL", folder)
    try:
        return _rows(request, given_devices)
    except Problem as problem:
        return {"problem": problem.as_dict()}
    except Exception as error:
        if os.environ.get("VERL_ROCM_DEBUG"):
            raise
        text = f"{type(error).__name__}: {first_line(error)}"
        return {
            "problem": {
                "stage": "fault",
                "kind": "fault",
                "message": text,
                "hint": "this is a fault of the dry run; VERL_ROCM_DEBUG=1 shows where",
            }
        }
