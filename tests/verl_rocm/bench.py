"""Time the dry run as ratios of one run (``make bench``): against the bare imports, several GPUs, and a real engine.

The bare import is what a dry run cannot do without: torch, vLLM and verl's server module, in the same environment, as
the same GPU.  The engine is vLLM's CPU engine with a tiny model, started by verl's own server class with the same
overrides, where :mod:`tests.support.verl_on_cpu` says what a CPU cannot do.  All are cold processes, taken in turns; of
each the fastest counts, because other load only adds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from guide.doctest.tiny_model import make_tiny_qwen2
from tests.support import verl_on_cpu
from verl_rocm.dryrun import engines, gpus

ROUNDS = 3
GPUS = ("MI250X", "MI300X", "MI325X", "MI350X", "MI355X")
RECIPE = [
    "algorithm.adv_estimator=grpo",
    "actor_rollout_ref.model.path=Qwen/Qwen2.5-7B-Instruct",
    "actor_rollout_ref.rollout.name=vllm",
    "actor_rollout_ref.actor.use_dynamic_bsz=True",
]
LIMIT_RATIO, LIMIT_SECONDS = 1.3, 1.0
BARE = (
    "import sys; from verl_rocm.worker import adopt; from verl_rocm.worker.wire import Identity; "
    "adopt.before_imports(Identity.model_validate_json(sys.argv[1]), None); "
    "from verl_rocm.worker.__main__ import imports; imports(); import os; os._exit(0)"
)


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall-clock seconds of one process; a failure ends the benchmark."""
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=engines.ROOT)
    if done.returncode not in (0, 1):
        raise SystemExit(f"bench: {' '.join(command[1:4])}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return time.perf_counter() - started


def until(says: str, command: list[str], environment: dict[str, str], log: Path) -> float:
    """Wall-clock seconds until a process prints ``says``; it and all that it started are ended then."""
    started = time.perf_counter()
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=engines.ROOT,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        reached = any(line.startswith(says) for line in process.stdout)
        passed = time.perf_counter() - started
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if not reached:
        raise SystemExit(f"bench: no engine was started: {log.read_text().strip().splitlines()[-1]}")
    return passed


def dry_run(names: tuple[str, ...], recipe: list[str]) -> list[str]:
    """The command for one or several GPUs."""
    return [sys.executable, "-m", "verl_rocm", "dry-run", "--json", "--gpu", ",".join(names), *recipe]


def engine(folder: Path) -> tuple[list[str], list[str], dict[str, str]]:
    """The recipe with a model that a CPU can load, the command that starts its engine, and its environment."""
    model, packages = make_tiny_qwen2(folder / "tiny"), verl_on_cpu.write_packages(folder / "packages")
    changed = [
        *RECIPE,
        *verl_on_cpu.OVERRIDES,
        f"actor_rollout_ref.model.path={model}",
        "actor_rollout_ref.rollout.tensor_model_parallel_size=1",
        "trainer.n_gpus_per_node=1",
        "data.max_prompt_length=64",
        "data.max_response_length=64",
    ]
    recipe = [item for item in changed if not item.startswith(("data.train", "trainer.device"))]
    path = os.pathsep.join([str(packages), str(engines.ROOT)])
    environment = (
        os.environ | verl_on_cpu.environment() | {"PYTHONPATH": path, "VLLM_CACHE_ROOT": str(folder / "cache")}
    )
    return recipe, [sys.executable, "-m", "tests.verl_rocm.engine_start", *recipe], environment


def main() -> int:
    """Print the ratios; code 1 if one is over its limit."""
    bare = [sys.executable, "-c", BARE, gpus.identity("MI300X", 8).model_dump_json()]
    inside, outside = engines.environment(os.environ), os.environ | {"PYTHONPATH": str(engines.ROOT)}
    seconds(dry_run(("MI300X",), RECIPE), outside)  # fills the page cache and vLLM's cache of model classes
    times: dict[str, list[float]] = {"imports": [], "one": [], "five": [], "tiny": [], "engine": []}
    with tempfile.TemporaryDirectory(prefix="verl-rocm-bench-") as folder:
        recipe, start, on_cpu = engine(Path(folder))
        for _ in range(ROUNDS):
            times["imports"].append(seconds(bare, inside))
            times["one"].append(seconds(dry_run(("MI300X",), RECIPE), outside))
            times["five"].append(seconds(dry_run(GPUS, RECIPE), outside))
            times["tiny"].append(seconds(dry_run(("MI300X",), recipe), outside))
            times["engine"].append(until("started generate", start, on_cpu, Path(folder) / "log"))
    best = {name: min(values) for name, values in times.items()}
    ratio, each = best["one"] / best["imports"], (best["five"] - best["one"]) / (len(GPUS) - 1)
    share = best["tiny"] / best["engine"]
    print(f"bare imports {best['imports']:.1f} s, dry run {best['one']:.1f} s: {ratio:.2f} times (limit {LIMIT_RATIO})")
    print(f"five GPUs {best['five']:.1f} s: {each:.2f} s for each more (limit {LIMIT_SECONDS})")
    print(
        f"tiny model: dry run {best['tiny']:.1f} s, the CPU engine started through verl {best['engine']:.1f} s: "
        f"{share:.2f} times"
    )
    return 0 if ratio <= LIMIT_RATIO and each <= LIMIT_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
