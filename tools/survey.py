"""Dry-run every launch script of a verl checkout and print what came of it (``make survey SCRIPTS=DIR``).

Each script that uses vLLM counts; of a script that launches several jobs the first counts.  A report is a result of
verl's and vLLM's own code; a statement is one line that says why there can be none.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from verl_rocm import dryrun, engines, script

FOLDERS = ("examples", "tests/special_e2e", "verl/experimental")
LIMIT = 3600
# What scripts ask their user to set: stand-ins, which the models' names do not depend on.
VARIABLES = {
    "HDFS_ROOT": "/hdfs",
    "RAY_DATA_HOME": "/data",
    "INFER_BACKEND": "vllm",
    "LORA_ADAPTER_PATH": "/adapter",
    "DATA_ROOT": "/data",
    "TRAIN_FILES": "/data/train.parquet",
    "VAL_FILES": "/data/test.parquet",
}
# Failure classes, in words.
CLASSES = {
    "report": "verl and vLLM resolved the job",
    "other backend": "statement: the job uses another rollout backend than vLLM",
    "ascend": "statement: the job asks for Ascend's own profiler or device",
    "launcher": "statement: the script launches something else than a trainer with a rollout (SFT, generation)",
    "no launch": "statement: the script launches no trainer of verl without more input",
    "unknown model": "statement: the script names a model that is neither bundled nor on this machine",
    "unknown key": "statement: an override that this verl release does not have",
    "append": "statement: a + override of a key that this verl release has",
    "missing": "statement: a key that verl wants is not set",
    "malformed": "statement: an override that Hydra cannot read",
    "config path": "statement: a config folder that is not part of the checkout",
    "compose": "statement: Hydra or OmegaConf refuses the config",
    "gpus": "statement: the job does not fit the nodes",
    "visibility": "statement: visibility variables in conflict",
    "model refused": "failed: transformers refuses the bundled config",
    "verl refuses": "statement: verl's own checks refuse the job",
    "vLLM refuses": "statement: vLLM refuses its arguments on this GPU",
    "fault": "failed: a fault of the dry run",
}
# What scripts tell their user to change in a downloaded config.json ("very important! please modify ...").
EDITED = {"Qwen2.5-Math-7B": {"max_position_embeddings": 32768}}
NOT_COUNTED = ("other backend", "launcher", "ascend")


def jobs(root: Path) -> tuple[list[tuple[str, dryrun.Job]], dict[str, dict[str, str]]]:
    """The first launch of each script, and what the scripts without one say."""
    found, silent = [], {}
    files = sorted(file for folder in FOLDERS for file in (root / folder).rglob("*.sh"))
    for file in files:
        name = str(file.relative_to(root))
        try:
            made = dryrun.jobs(dryrun.Asked([], script=file))
        except script.ScriptProblem as problem:
            kind = "no launch" if "rollout.name" in file.read_text(encoding="utf-8") else "launcher"
            silent[name] = {"kind": kind, "message": str(problem)}
            continue
        trainers = [job for job in made if "sft" not in job.launcher] or made
        found.append((name, trainers[0]))
    return found, silent


def gpus(job: dryrun.Job, least: int) -> int:
    """As many GPUs a node as the script asks for."""
    asked = [int(word.partition("=")[2]) for word in job.arguments if re.search(r"n_gpus_per_node=\d+$", word)]
    return max([least, *asked])


def edited(request: engines.Request, folder: Path) -> engines.Request:
    """The request on a config that was edited as the scripts say."""
    places = dict(request.models)
    for name, place in places.items():
        for ending, change in EDITED.items():
            if name.endswith(ending):
                target = folder / f"{ending}-edited"
                target.mkdir(exist_ok=True)
                config = json.loads(Path(place["directory"], "config.json").read_text(encoding="utf-8"))
                (target / "config.json").write_text(json.dumps(config | change), encoding="utf-8")
                places[name] = place | {"directory": str(target)}
    return replace(request, models=places)


def survey(root: Path, gpu: str, count: int) -> dict[str, dict[str, Any]]:
    """Outcome of every script: its class, its message, and the GPUs that it was given."""
    found, outcomes = jobs(root)
    asked = dryrun.Asked([], gpus=[gpu], count=count)
    with tempfile.TemporaryDirectory() as folder:
        wanted = [dryrun.requests(replace(asked, count=gpus(job, count)), job, Path(folder))[0] for _, job in found]
        wanted = [edited(request, Path(folder)) for request in wanted]
        own = root if (root / "verl" / "__init__.py").is_file() else None
        answer = engines.resolve(wanted, engines.interpreter(None), limit=LIMIT, checkout=own)
        print(
            f"vLLM {answer['versions']['vllm']}, verl {answer['versions']['verl']} {'of the checkout' if own else ''}\n"
        )
    done: dict[str, dict[str, Any]] = dict(outcomes)
    for (name, job), result in zip(found, answer["results"], strict=True):
        problem = result.get("problem")
        if problem and "npu" in problem["message"]:
            problem["kind"] = "ascend"
        done[name] = {
            "kind": problem["kind"] if problem else "report",
            "launcher": job.launcher,
            "message": f"{problem['message']} ({problem['hint']})" if problem else "",
            "seconds": result.get("seconds", 0.0),
        }
    return done


def main() -> int:
    """Print the table; code 1 if less than 95 % of the scripts that use vLLM were reported or explained."""
    if len(sys.argv) < 2 or not Path(sys.argv[1], "examples").is_dir():
        print("survey: give the root of a verl checkout: make survey SCRIPTS=DIR", file=sys.stderr)
        return 2
    started = time.monotonic()
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    done = survey(Path(sys.argv[1]).resolve(), "MI300X", 8)
    counts = Counter(outcome["kind"] for outcome in done.values())
    for name, outcome in sorted(done.items(), key=lambda item: (item[1]["kind"], item[0])):
        if outcome["kind"] != "report":
            print(f"{outcome['kind']:14} {name}: {outcome['message'][:200]}")
    print()
    for kind, words in CLASSES.items():
        if counts[kind]:
            print(f"{counts[kind]:4}  {kind:14} {words}")
    used = sum(count for kind, count in counts.items() if kind not in NOT_COUNTED)
    failed = sum(count for kind, count in counts.items() if CLASSES[kind].startswith("failed"))
    share = 100 * (used - failed) / max(used, 1)
    print(
        f"\n{len(done)} scripts, {used} with vLLM: {counts['report']} reported "
        f"({100 * counts['report'] / max(used, 1):.1f} %), {used - failed} reported or explained ({share:.1f} %), "
        f"{time.monotonic() - started:.0f} s"
    )
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json.dumps(done, indent=1, sort_keys=True), encoding="utf-8")
    return 0 if share >= 95 else 1


if __name__ == "__main__":
    sys.exit(main())
