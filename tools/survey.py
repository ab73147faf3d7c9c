"""Dry-run every launch script of a verl checkout, or of any folder, and print what came of each.

Each script that launches a rollout with vLLM counts; of a script that launches several jobs the first counts.  What was
reported, what verl or vLLM refuses as at a real launch, and what needs more input is counted apart.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from verl_rocm import models
from verl_rocm.dryrun import engines, resolve
from verl_rocm.dryrun.jobs import Job, Question, identities, request
from verl_rocm.dryrun.jobs import jobs as launches_of
from verl_rocm.dryrun.report import RefusedJob
from verl_rocm.dryrun.script import run as script
from verl_rocm.facts.load import load
from verl_rocm.worker.wire import Placed, Request

FOLDERS = ("examples", "tests/special_e2e", "verl/experimental")
LIMIT = 3600
ENDINGS = (".sh", ".slurm", ".sbatch")
VARIABLES = {"INFER_BACKEND": "vllm"}  # what some scripts ask their user to choose
# What came of a script, in words, and the group that is counted.  A refusal counts as such where the code that refuses
# is Hydra's, verl's or vLLM's own (`REFUSERS` in `verl_rocm.worker.refusal`): the real launch ends there as well.
CLASSES = {
    "report": ("reported", "verl and vLLM resolved the job"),
    "report with --model": ("reported", "the same, with the --model that the refusal's own line names"),
    "unknown key": ("refused", "an override that this verl does not have"),
    "append": ("refused", "a + override of a key that this verl has"),
    "missing": ("refused", "a key that verl wants is not set"),
    "malformed": ("refused", "an override that Hydra cannot read"),
    "config path": ("refused", "a config file that this verl does not have"),
    "compose": ("refused", "Hydra or OmegaConf refuses the config"),
    "no module": ("refused", "a trainer that this verl does not have"),
    "verl refuses": ("refused", "verl's own checks refuse the job"),
    "visibility": ("refused", "visibility variables that Ray, verl or vLLM refuses on an AMD node"),
    "vLLM refuses": ("refused", "vLLM refuses its arguments on this GPU"),
    "no launch": ("needs input", "a variable, an argument or a GPU that the script asks for before it launches"),
    "missing config": ("needs input", "a config of another package, which is not installed"),
    "unknown model": ("needs input", "a model that is neither bundled nor on this machine"),
    "gpus": ("needs input", "the job does not fit the node: --gpus"),
    "model refused": ("failed", "transformers refuses the bundled config"),
    "fault": ("failed", "a fault of the dry run"),
    "other backend": ("not vLLM", "the job uses another rollout backend"),
    "ascend": ("not vLLM", "the job asks for Ascend's own profiler or device"),
    "launcher": ("not vLLM", "no trainer with a rollout is launched (SFT, profiling)"),
}
GROUPS = {
    "reported": "reported",
    "refused": "refused by verl or vLLM itself, as the real launch would be",
    "needs input": "not reported without more input, which the line names",
    "failed": "failed",
}
# What scripts tell their user to change in a downloaded config.json ("very important! please modify ...").
EDITED = {"Qwen2.5-Math-7B": {"max_position_embeddings": 32768}}
# Paths of one's own that say nothing of the model, and the model that they stand for.
MODELS = {"/Qwen3-30B-MoE-merge": "Qwen/Qwen3-30B-A3B"}  # made by verl's scripts/veomni/moe_merge.py


@dataclass(frozen=True)
class Outcome:
    """What came of a script: its class of :data:`CLASSES`, and the line that says so."""

    kind: str
    message: str
    launcher: str = ""


def launched(root: Path, arch: str) -> tuple[list[tuple[str, Job]], dict[str, Outcome]]:
    """The first launch of each script, and what the scripts without one say."""
    first, silent = [], {}
    folders = [root / folder for folder in FOLDERS] if (root / "verl").is_dir() else [root]
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.suffix in ENDINGS)
    for file in files:
        name = str(file.relative_to(root))
        try:
            jobs = launches_of(Question(script=file), arch)
        except script.ScriptProblem as problem:
            text = file.read_text(encoding="utf-8", errors="replace")
            other = re.search(r"rollout\.name=(sglang|trtllm)\b", text)
            kind = "other backend" if other else "no launch" if "rollout.name" in text else "launcher"
            silent[name] = Outcome(kind, str(problem))
            continue
        trainers = [job for job in jobs if "sft" not in job.launcher] or jobs
        first.append((name, trainers[0]))
    return first, silent


def gpus(job: Job, least: int) -> int:
    """As many GPUs a node as the script asks for."""
    numbers = [int(word.partition("=")[2]) for word in job.arguments if re.search(r"n_gpus_per_node=\d+$", word)]
    return max([least, *numbers])


def edited(request: Request, folder: Path) -> Request:
    """The request on a config that was edited as the scripts say."""
    places = dict(request.models)
    for name, place in places.items():
        for ending, change in EDITED.items():
            if name.endswith(ending):
                target = folder / f"{ending}-edited"
                target.mkdir(exist_ok=True)
                config = json.loads(Path(place.directory, "config.json").read_text(encoding="utf-8"))
                (target / "config.json").write_text(json.dumps(config | change), encoding="utf-8")
                places[name] = place.model_copy(update={"directory": str(target)})
    return request.model_copy(update={"models": places})


def with_model(request: Request, folder: Path) -> Request | None:
    """The request with the model that its own model's name speaks of; None if it needs none, or speaks of none."""
    key = "actor_rollout_ref.model.path="
    named = [word.partition("=")[2] for word in request.arguments if word.startswith(key)]
    if not named or named[-1] in request.models:
        return None
    near = MODELS.get(named[-1]) or models.near(named[-1])
    place = models.place(near, folder) if near else None
    if near is None or place is None:
        return None
    placed = Placed(directory=str(place.directory), source=place.source)
    return request.model_copy(update={"model": near, "models": {**request.models, near: placed}})


def survey(root: Path, gpu: str, count: int) -> dict[str, Outcome]:
    """What came of every script."""
    question = Question(gpus=(gpu,), count=count)
    (identity,) = identities(question)
    first, outcomes = launched(root, identity.arch)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = [
            request(question, job, identity.model_copy(update={"count": gpus(job, count)}), folder) for _, job in first
        ]
        guessed = [with_model(each, folder) for each in plain]
        requests = [edited(other or each, folder) for each, other in zip(plain, guessed, strict=True)]
        own = root if (root / "verl" / "__init__.py").is_file() else None
        answers = engines.resolve(requests, engines.interpreter(None), limit=LIMIT, checkout=own)
        run = resolve.finished(answers, requests, [job for _, job in first], load())
    print(f"vLLM {run.versions['vllm']}, verl {run.versions['verl']} {'of the checkout' if own else ''}\n")
    for (script_name, job), report, other in zip(first, run.reports, guessed, strict=True):
        kind, message = "report", ""
        if isinstance(report, RefusedJob):
            problem = report.problems[0]
            kind, message = ("ascend" if "npu" in problem.message else problem.kind), problem.line()
        elif other:
            kind, message = "report with --model", f"--model {other.model}"
        outcomes[script_name] = Outcome(kind, message, job.launcher)
    return outcomes


def table(outcomes: dict[str, Outcome]) -> tuple[list[str], int]:
    """The lines to print, and the number of failed scripts."""
    counts = Counter(outcome.kind for outcome in outcomes.values())
    order = list(CLASSES)
    lines = [
        f"{outcome.kind:20} {name}: {outcome.message[:300]}"
        for name, outcome in sorted(outcomes.items(), key=lambda item: (order.index(item[1].kind), item[0]))
        if outcome.kind != "report"
    ]
    lines += ["", *(f"{counts[kind]:4}  {kind:20} {words}" for kind, (_, words) in CLASSES.items() if counts[kind])]
    grouped = Counter(CLASSES[outcome.kind][0] for outcome in outcomes.values())
    used = sum(grouped[group] for group in GROUPS)
    lines += ["", f"{len(outcomes)} scripts, {used} of them launch a rollout with vLLM:"]
    lines += [f"{grouped[group]:4}  {100 * grouped[group] / max(used, 1):5.1f} %  {GROUPS[group]}" for group in GROUPS]
    return lines, grouped["failed"]


def main() -> int:
    """Print the table; code 1 if a script failed for a reason of the dry run's own."""
    if len(sys.argv) < 2 or not sys.argv[1] or not Path(sys.argv[1]).is_dir():
        print(
            "survey: give the root of a verl checkout, or a folder of scripts: make survey SCRIPTS=DIR", file=sys.stderr
        )
        return 2
    started = time.monotonic()
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    outcomes = survey(Path(sys.argv[1]).resolve(), "MI300X", 8)
    lines, failed = table(outcomes)
    print(*lines, f"{time.monotonic() - started:.0f} s", sep="\n")
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(
            json.dumps({name: asdict(each) for name, each in outcomes.items()}, indent=1, sort_keys=True),
            encoding="utf-8",
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
