"""What a run of a recipe shows: lines on the terminal, and an entry of ``records/recipes/<machine class>.json``."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from guide.records import machine, recipes
from guide.records.base import write_text
from guide.records.blocks import Accelerator, Machine
from guide.records.output import output
from tests.support import verl_on_cpu
from tests.support.training import ROOT, Run

OUTPUT = ROOT / "snippets" / "how_to" / "recipes" / "recorded_runs.txt"
CONDITIONS = {
    "model": "Qwen2 with 2 layers of 64, random weights, 320 tokens",
    "step": "8 prompts, 8 answers each (1 with PPO, 4 asynchronous), at most 16 tokens an answer",
    "memory": "highest sum of proportional set sizes of all processes, sampled once a second",
}
BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: list[float]) -> str:
    """The values as a row of bars, the lowest and the highest of them at the ends of the scale."""
    low, high = min(values), max(values)
    return "".join(BARS[round((value - low) / ((high - low) or 1) * (len(BARS) - 1))] for value in values)


def lines(run: Run, steps: int, left_out: bool) -> list[str]:
    """The run in words; ``left_out`` adds what a CPU leaves out."""
    rewards = run.curve()
    report = [f"{steps} steps in {run.seconds:.0f} s, peak {run.peak_gib:.1f} GiB of host memory, exit code {run.code}"]
    if rewards:
        report.append(f"reward {sparkline(rewards)}  {rewards[0]:.4f} -> {rewards[-1]:.4f}")
    if left_out:
        report += [f"not exercised on a CPU: {line}" for line in verl_on_cpu.NOT_EXERCISED]
    return report


def show(run: Run, steps: int, accelerator: str, name: str = "grpo") -> None:
    """Print the run."""
    print()
    for line in lines(run, steps, left_out=accelerator == "cpu" and name == "grpo"):
        print(f"recipe {name}: {line}")


def keep(run: Run, steps: int, accelerator: Accelerator, name: str = "grpo") -> None:
    """Write one entry of the record where ``RECIPE_RECORD`` asks for it; called when a run has passed its test."""
    if not os.environ.get("RECIPE_RECORD"):
        return
    here = machine.machine(accelerator)
    path = ROOT / "records" / "recipes" / f"{machine.machine_class(here)}.json"
    record = recipes.Recipes(
        conditions=CONDITIONS,
        not_exercised=list(verl_on_cpu.NOT_EXERCISED) if accelerator == "cpu" else [],
        runs=recipes.load(path).runs | {f"{name}-{steps}": training(run, steps, here)},
    )
    recipes.save(record, path)
    if accelerator == "cpu":
        write_text(OUTPUT, shown(record))


def training(run: Run, steps: int, here: Machine) -> recipes.Training:
    """The entry of one run."""
    commit, clean = machine.commit(ROOT)
    return recipes.Training(
        ended=datetime.now(UTC).replace(microsecond=0),
        commit=commit,
        clean=clean,
        machine=here,
        software=machine.software(),
        steps=steps,
        seconds=run.seconds,
        step_seconds=[round(value, 2) for value in run.curve("timing_s/step")],
        peak_host_gib=run.peak_gib,
        reward=[round(value, 5) for value in run.curve()],
        rollout_probs_diff_mean=max(run.curve("training/rollout_probs_diff_mean"), default=None),
        rollout_actor_probs_pearson=min(run.curve("training/rollout_actor_probs_pearson_corr"), default=None),
    )


def shown(record: recipes.Recipes) -> str:
    """A record as the page on the recipes shows it."""
    table = [f"{'run':16} {'steps':>5} {'seconds':>8} {'peak GiB':>9}  reward"]
    for key, run in sorted(record.runs.items()):
        curve = f"{run.reward[0]:.4f} {sparkline(run.reward)} {run.reward[-1]:.4f}"
        table.append(f"{key.rsplit('-', 1)[0]:16} {run.steps:5} {run.seconds:8.0f} {run.peak_host_gib:9.1f}  {curve}")
    return output({"runs": "\n".join(table), "not_exercised": "\n".join(record.not_exercised)})
