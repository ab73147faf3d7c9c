"""Time the dry run as ratios of one run (``make bench``): against the bare imports, and for several GPUs.

The bare import is what a dry run cannot do without: torch, vLLM and verl's server module, in the same environment, as
the same GPU.  Both are cold processes, taken in turns; of each the fastest counts, because other load only adds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from verl_rocm import engines, gpus

ROUNDS = 3
GPUS = ("MI250X", "MI300X", "MI325X", "MI350X", "MI355X")
RECIPE = [
    "algorithm.adv_estimator=grpo", "actor_rollout_ref.model.path=Qwen/Qwen2.5-7B-Instruct",
    "actor_rollout_ref.rollout.name=vllm", "actor_rollout_ref.actor.use_dynamic_bsz=True",
]  # fmt: skip
LIMIT_RATIO, LIMIT_SECONDS = 1.3, 1.0
BARE = (
    "import json, sys; from verl_rocm.worker import adopt; adopt.before_imports(json.loads(sys.argv[1]), None); "
    "from verl_rocm.worker.__main__ import imports; imports(); import os; os._exit(0)"
)


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall-clock seconds of one process; a failure ends the benchmark."""
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=engines.ROOT)
    if done.returncode not in (0, 1):
        raise SystemExit(f"bench: {done.stderr.strip().splitlines()[-1]}")
    return time.perf_counter() - started


def dry_run(names: tuple[str, ...]) -> list[str]:
    """The command for one or several GPUs."""
    return [sys.executable, "-m", "verl_rocm", "dry-run", "--json", "--gpu", ",".join(names), *RECIPE]


def main() -> int:
    """Print the ratios; code 1 if one is over its limit."""
    bare = [sys.executable, "-c", BARE, json.dumps(gpus.identity("MI300X", 8))]
    inside, outside = engines.environment(os.environ), os.environ | {"PYTHONPATH": str(engines.ROOT)}
    seconds(dry_run(("MI300X",)), outside)  # fills the page cache and vLLM's cache of model classes
    times: dict[str, list[float]] = {"imports": [], "one": [], "five": []}
    for _ in range(ROUNDS):
        times["imports"].append(seconds(bare, inside))
        times["one"].append(seconds(dry_run(("MI300X",)), outside))
        times["five"].append(seconds(dry_run(GPUS), outside))
    best = {name: min(values) for name, values in times.items()}
    ratio, each = best["one"] / best["imports"], (best["five"] - best["one"]) / (len(GPUS) - 1)
    print(f"bare imports {best['imports']:.1f} s, dry run {best['one']:.1f} s: {ratio:.2f} times (limit {LIMIT_RATIO})")
    print(f"five GPUs {best['five']:.1f} s: {each:.2f} s for each more (limit {LIMIT_SECONDS})")
    return 0 if ratio <= LIMIT_RATIO and each <= LIMIT_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
