"""What would stop a training run of verl, found before Ray starts: one line a problem, exit code 2.

python3 preflight.py python3 -m verl.trainer.main_ppo key=value ...
"""

# [start:imports]
import difflib
import importlib.util
import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
import pyarrow.parquet
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

# [end:imports]

GIB = 2**30


# [start:overrides]
def trainer_config(module: str) -> tuple[Path, str]:
    """Folder and name of the configuration that a trainer of verl reads, without importing it."""
    package, *inner = module.split(".")
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"{package} is not installed in {sys.executable}")
    source = Path(found.submodule_search_locations[0], *inner).with_suffix(".py")
    text = source.read_text(encoding="utf-8") if source.is_file() else ""
    named = re.search(r'@hydra\.main\(config_path="([^"]+)", config_name="([^"]+)"', text)
    if not named:
        raise ValueError(f"{module} is no trainer of the installed verl")
    return source.parent / named[1], named[2]


def compose(module: str, overrides: Sequence[str]) -> DictConfig:
    """The configuration of the run; ``ValueError`` names the override that verl does not take."""
    folder, name = trainer_config(module)
    with hydra.initialize_config_dir(str(folder), version_base=None):
        try:
            return hydra.compose(name, overrides=list(overrides))
        except (HydraException, OmegaConfBaseException) as refused:
            said = str(refused).splitlines()[0]
            key = re.search(r"'([\w.@/]+)'", said)
            near = nearest(hydra.compose(name), key[1]) if key and said.startswith("Could not override") else ""
            raise ValueError(f"override: {said.rstrip('.')}{near}") from None


def nearest(config: DictConfig, key: str) -> str:
    """What may have been meant by a key that is not there."""
    known = flat(OmegaConf.to_container(config, resolve=False))
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
    return (
        f": did you mean {close[0]}? (a key that verl's yaml lacks takes ++)" if close else ": correct it, or write ++"
    )


def flat(tree: Any, prefix: str = "") -> list[str]:
    """All keys of a configuration, dotted."""
    if not isinstance(tree, dict):
        return [prefix]
    return [key for name, value in tree.items() for key in flat(value, f"{prefix}.{name}" if prefix else str(name))]


# [end:overrides]


# [start:model]
def model_problem(config: DictConfig) -> Iterator[str]:
    """A model folder that is none, or that cannot turn a conversation into a prompt."""
    model = config.actor_rollout_ref.model
    folder = Path(os.path.expandvars(model.path)).expanduser()
    if not folder.is_dir():
        if str(model.path).startswith(("/", ".", "~")):
            yield f"model: {folder} is not there: correct MODEL"
        return  # a name on the hub: verl downloads it
    if not (folder / "config.json").is_file():
        yield f"model: {folder} has no config.json: give the folder of a Hugging Face model"
        return
    settings = folder / "tokenizer_config.json"
    inside = settings.is_file() and json.loads(settings.read_text(encoding="utf-8")).get("chat_template")
    if not (inside or model.custom_chat_template or (folder / "chat_template.jinja").is_file()):
        yield (
            f"model: {folder} has no chat template: take an instruct model, or set "
            "actor_rollout_ref.model.custom_chat_template"
        )


# [end:model]


# [start:data]
def data_problem(config: DictConfig) -> Iterator[str]:
    """A data file that is not there or lacks a column that verl reads."""
    data = config.data
    if data.custom_cls.path:
        return  # reads files in its own way
    needed = [data.prompt_key, data.reward_fn_key, "reward_model"]
    for key in ("train_files", "val_files"):
        files = data[key] if OmegaConf.is_list(data[key]) else [data[key]]
        for file in map(str, files):
            path = Path(os.path.expandvars(file)).expanduser()
            if "://" in file or path.suffix != ".parquet":
                continue
            if not path.is_file():
                yield f"data: {path} is not there: correct data.{key}"
                continue
            columns = pyarrow.parquet.read_schema(path).names
            for name in needed:
                if name not in columns:
                    yield f"data: {path} has no column {name!r} (it has {', '.join(columns)}): prepare it for verl"


# [end:data]


# [start:gpus]
def gpu_problem(config: DictConfig) -> Iterator[str]:
    """Fewer GPUs on this node than one node of the run needs."""
    if os.environ.get("RAY_ADDRESS") or config.ray_kwargs.ray_init.get("address"):
        return  # the cluster's business, not this node's
    trainer, rollout = config.trainer, config.actor_rollout_ref.rollout
    needed = int(trainer.n_gpus_per_node)
    apart = config.get("rollout", {}).get("n_gpus_per_node") or rollout.get("n_gpus_per_node") or 0
    if "async_training" in config or trainer.v1.trainer_mode == "separate_async":
        needed += int(apart)
    there = config.ray_kwargs.ray_init.get("num_gpus")
    if there is None:
        import torch

        there = torch.cuda.device_count()
    if there < needed:
        yield f"gpus: the run needs {needed} on this node, {there} are visible: lower GPUS, or see HIP_VISIBLE_DEVICES"
    size = int(rollout.tensor_model_parallel_size)
    if int(trainer.n_gpus_per_node) % size:
        yield f"gpus: {trainer.n_gpus_per_node} GPUs cannot be split into engines of {size}: correct TENSOR_PARALLEL"


# [end:gpus]


# [start:ray]
def ray_problem(config: DictConfig) -> Iterator[str]:
    """A Ray cluster that the run would join, or try to join, instead of starting its own."""
    given = os.environ.get("RAY_ADDRESS") or config.ray_kwargs.ray_init.get("address") or ""
    folder = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp")
    left = folder / "ray" / "ray_current_cluster"  # `ray start` writes it, `ray stop` removes it
    address = str(given or (left.read_text().strip() if left.is_file() else ""))
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if given == "local" or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=3).close()
    except OSError:
        where = "RAY_ADDRESS" if given else left
        yield f"ray: no cluster answers at {address}, which {where} names: unset it, or run `ray stop` to clear it"
    else:
        if not given and int(config.trainer.nnodes) == 1:
            yield (
                f"ray: the run would join the cluster that already runs at {address}: `ray stop` it, or set "
                f"RAY_ADDRESS={address} if that is meant"
            )


# [end:ray]


# [start:shm]
def shm_problem(config: DictConfig, folder: str = "/dev/shm") -> Iterator[str]:
    """Shared memory too small for Ray's object store, RCCL and vLLM."""
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    needed = int(config.ray_kwargs.ray_init.get("object_store_memory") or GIB)
    if free < needed:
        yield (
            f"shm: {folder} has {free / GIB:.2f} GiB free, the run needs {needed / GIB:.2f}: remove what dead "
            "runs left there, or start the container with a larger --shm-size"
        )


# [end:shm]


def problems(command: Sequence[str]) -> list[str]:
    """All problems of a command that starts a trainer of verl; none if it starts something else."""
    module = next((i for i, word in enumerate(command) if word.startswith("verl.")), None)
    if module is None:
        return []
    try:
        config = compose(command[module], command[module + 1 :])
    except ValueError as problem:
        return [str(problem)]
    checks = (model_problem, data_problem, gpu_problem, ray_problem, shm_problem)
    return [line for check in checks for line in check(config)]


def main(command: Sequence[str]) -> int:
    """Print the problems; 2 if there are any."""
    found = problems(command)
    for line in found:
        print(f"preflight: {line}", file=sys.stderr)
    return 2 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
