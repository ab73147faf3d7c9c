"""Run a recipe of the guide with verl's own trainer, small, and read what it left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import psutil

from guide.doctest import processes
from tests.support import verl_on_cpu

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "snippets" / "how_to" / "recipes"
TUTORIAL = ROOT / "snippets" / "tutorial"
SMALL = (
    "data.train_batch_size=8",
    "data.val_batch_size=8",
    "actor_rollout_ref.actor.ppo_mini_batch_size=8",
    "trainer.val_before_train=False",
    "trainer.test_freq=-1",
    "trainer.total_epochs=1000",
)
# A learning rate with which the tiny model learns in 20 steps; a real one keeps the recipe's.
TINY = ("actor_rollout_ref.actor.optim.lr=4e-3",)
NAMED = "model_name"  # in the folder of `prepare`: the model that replaces the tiny one
# One checkpoint, after the last step, with the weights as safetensors too.
KEEP_LAST = (
    "trainer.save_freq=100000",
    "actor_rollout_ref.actor.checkpoint.save_contents=[model,optimizer,extra,hf_model]",
)
CRITIC_ON_CPU = (
    "critic.model.use_remove_padding=False",
    "+critic.model.override_config.attn_implementation=sdpa",
    "critic.optim.lr=1e-3",
    "critic.ppo_mini_batch_size=8",
)
ASYNC_ON_CPU = (
    "data.train_batch_size=0",
    "actor_rollout_ref.rollout.checkpoint_engine.backend=files",
    "actor_rollout_ref.rollout.checkpoint_engine.custom_backend_module=tests.support.verl_on_cpu.files",
    "async_training.trigger_parameter_sync_step=1",
    "actor_rollout_ref.rollout.n=4",
    "rollout.total_rollout_steps=16",
)
# A /tmp and a /dev/shm of the run's own: verl names its sockets by Ray's job number, which is the same in every Ray
# that a script starts, so that two runs on one machine would take each other's; and what is left is the run's.
# The checkout, the interpreter and the run's folder stay visible where they lie in /tmp themselves.
OWN = """
left=$1 folder=$2; shift 2
mount -t tmpfs none /mnt || exit 99
for kept in $KEPT; do mkdir -p "/mnt$kept" && mount --bind "$kept" "/mnt$kept" || exit 99; done
mount -t tmpfs -o mode=1777 none /tmp && mount -t tmpfs -o mode=1777 none /dev/shm || exit 99
for kept in $KEPT; do mkdir -p "$kept" && mount --bind "/mnt$kept" "$kept" || exit 99; done
cd "$folder" || exit 99
"$@"; code=$?
set --
for kept in $KEPT; do set -- "$@" -path "$kept" -prune -o; done
find /tmp /dev/shm -mindepth 1 "$@" \\( -type s -o -path '/dev/shm/*' \\) -print >"$left"
exit $code
"""


@lru_cache(maxsize=1)
def can_be_alone() -> bool:
    """Whether this machine lets a process have a ``/tmp`` of its own."""
    try:
        probe = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
    except FileNotFoundError:
        return False
    return probe.returncode == 0


@dataclass
class Run:
    """One run of a recipe: its folder, exit code, output, seconds, and peak of resident memory in GiB."""

    folder: Path
    code: int
    output: str
    seconds: float
    peak_gib: float
    left: list[str]  # processes, and where the run had a /tmp of its own, sockets and shared memory
    metrics: list[dict[str, float]] = field(default_factory=list)

    def curve(self, name: str = "critic/score/mean") -> list[float]:
        """The values of one metric, a step each."""
        return [step[name] for step in self.metrics if name in step]

    def all_syncs(self, who: str) -> dict[int, list[dict[str, str]]]:
        """Digests of the weights that ``who`` ("actor", "engine") had in each sync, by process."""
        log = self.folder / "watch.jsonl"
        syncs: dict[int, list[dict[str, str]]] = {}
        for line in map(json.loads, log.read_text().splitlines() if log.is_file() else []):
            if line["who"] == who:
                syncs.setdefault(line["pid"], []).append(line["digest"])
        return syncs

    def syncs(self, who: str) -> list[dict[str, str]]:
        """The same, of the first process alone."""
        return next(iter(self.all_syncs(who).values()), [])

    def saved(self, step: int) -> dict[str, str]:
        """Digest of the weights that the checkpoint of a step holds as safetensors."""
        from safetensors.torch import load_file

        from tests.support.verl_on_cpu.watch import digest

        (file,) = self.folder.glob(f"out/checkpoints/global_step_{step}/actor/huggingface/*.safetensors")
        return digest(load_file(file).items())

    def tail(self, lines: int = 30) -> str:
        """The end of the output, for a message."""
        return "\n".join(self.output.splitlines()[-lines:])


def prepare(folder: Path, model: str = "") -> Path:
    """Make model and data below ``folder`` (a short path), and return it; ``model`` replaces the tiny model."""
    from guide.doctest.tiny_model import make_tiny_qwen2
    from snippets.tutorial import arithmetic_data

    folder.mkdir(parents=True, exist_ok=True)
    if model:
        (folder / NAMED).write_text(model)
    else:
        make_tiny_qwen2(folder / "model", spread=0.02)
    arithmetic_data.write(folder / "data", rows=256, largest=9)
    verl_on_cpu.write_packages(folder / "packages")
    return folder


def environment(prepared: Path, folder: Path, accelerator: str, gpus: int) -> dict[str, str]:
    """Variables of a run in ``folder`` with what :func:`prepare` made."""
    model = (prepared / NAMED).read_text() if (prepared / NAMED).is_file() else str(prepared / "model")
    variables = {
        "MODEL": model,
        "GPUS": str(gpus),
        "OUT": str(folder / "out"),
        "TRAIN_FILES": str(prepared / "data" / "train.parquet"),
        "VAL_FILES": str(prepared / "data" / "val.parquet"),
        "PROMPT_TOKENS": "96",
        "RESPONSE_TOKENS": "16",
        "TOKENS_PER_GPU": "2048",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "VERL_FILE_LOGGER_PATH": str(folder / "metrics.jsonl"),
        "HYDRA_FULL_ERROR": "1",
        "DO_NOT_TRACK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "VLLM_NO_USAGE_STATS": "1",
    }
    variables |= verl_on_cpu.watching(folder / "watch.jsonl")
    variables["PYTHONPATH"] = f"{prepared / 'packages'}{os.pathsep}{ROOT}"
    if accelerator == "cpu":
        variables |= verl_on_cpu.environment()
        # No idle Python process for each of Ray's CPUs, and no end of a worker because others use the memory too.
        variables |= {"RAY_prestart_worker_first_driver": "0", "RAY_memory_monitor_refresh_ms": "0"}
    return {key: value for key, value in os.environ.items() if key != "VLLM_ENABLE_V1_MULTIPROCESSING"} | variables


def overrides(accelerator: str, gpus: int, steps: int, tiny: bool) -> list[str]:
    """What a small run adds to the recipe's own settings."""
    values = [*SMALL, *(TINY if tiny else ()), f"trainer.total_training_steps={steps}"]
    values += [
        f"reward.custom_reward_function.path={TUTORIAL / 'arithmetic_reward.py'}",
        "reward.custom_reward_function.name=compute_score",
    ]
    if accelerator == "cpu":
        values += [*verl_on_cpu.OVERRIDES, f"+ray_kwargs.ray_init.num_gpus={gpus}"]
    return values


def run(
    recipe: str,
    prepared: Path,
    folder: Path,
    *,
    steps: int,
    accelerator: str = "cpu",
    gpus: int = 1,
    more: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    timeout: float = 900,
    meanwhile: Callable[[list[psutil.Process]], None] | None = None,
) -> Run:
    """Run ``recipe`` in ``folder`` (which lies in ``made``) to its end; ``meanwhile`` sees its processes each second.

    Raises :class:`subprocess.TimeoutExpired` after ``timeout`` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left = folder / "left.txt"
    words = overrides(accelerator, gpus, steps, tiny=not (prepared / NAMED).is_file())
    command = ["bash", str(RECIPES / recipe), *words, *more]
    alone = can_be_alone()
    if alone:
        command = ["unshare", "--mount", "sh", "-c", OWN, "sh", str(left), str(folder), *command]
    kept = dict.fromkeys(str(path) for path in (ROOT, Path(sys.prefix), prepared) if path.is_relative_to("/tmp"))
    env = environment(prepared, folder, accelerator, gpus) | dict(variables or {}) | {"KEPT": " ".join(kept)}
    watch = Memory(meanwhile)
    watch.start()
    started = time.monotonic()
    try:
        done = processes.run(command, timeout=timeout, env=env, cwd=folder)
    finally:
        watch.stop.set()
        watch.join()
    log = folder / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    return Run(
        folder,
        done.returncode,
        done.stdout,
        round(time.monotonic() - started, 1),
        round(watch.peak / 2**30, 2),
        [*survivors(f"OUT={folder / 'out'}"), *(left.read_text().split() if alone and left.is_file() else [])],
        [{**line["data"], "step": line["step"]} for line in lines],
    )


def survivors(variable: str) -> list[str]:
    """Commands of the processes that have ``variable`` (``NAME=value``) in their environment."""
    left = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                left.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:80])
        except OSError:
            continue
    return left


class Memory(threading.Thread):
    """The highest sum, seen once a second, of the memory of all processes below this one (shared pages count once)."""

    def __init__(self, also: Callable[[list[psutil.Process]], None] | None) -> None:
        super().__init__(daemon=True)
        self.also, self.peak, self.stop = also, 0, threading.Event()

    def run(self) -> None:
        """Sample until told to stop."""
        while not self.stop.wait(1.0):
            children = psutil.Process().children(recursive=True)
            self.peak = max(self.peak, sum(map(proportional_bytes, children)))
            if self.also:
                self.also(children)


def proportional_bytes(process: psutil.Process) -> int:
    """Resident memory of one process with its share of shared pages; 0 if it is gone."""
    try:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def scratch(name: str) -> Path:
    """An empty folder with a short path: sockets below it may have 107 bytes."""
    folder = ROOT / "build" / "recipes" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
