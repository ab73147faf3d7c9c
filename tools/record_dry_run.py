"""Dry-run the guide's own recipe on every GPU that the guide names, and record it (in the environment cpu-0.30.0).

Writes ``records/dry-run-<arch>.json`` for the blocks of ``how_to/recipes/grpo.sh`` and its settings, and the outputs
that pages show: ``snippets/how_to/check_your_recipe_output.txt``, ``snippets/tutorial/train_with_grpo_output.txt``.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from guide.records import blocks as records
from guide.records.base import write_text
from guide.records.output import output
from guide.regions import Region, scan_tree
from verl_rocm.dryrun.jobs import Question
from verl_rocm.dryrun.report import RefusedJob, Report
from verl_rocm.dryrun.resolve import dry_run

ROOT = Path(__file__).resolve().parent.parent
RECIPE = "how_to/recipes/grpo.sh"
FILES = (RECIPE, "how_to/recipes/settings.sh")
GPUS = ("MI250X", "MI300X", "MI325X", "MI350X", "MI355X")
# What pages show: the file, the columns of the terminal, and the region that each part is the output of.
SHOWN = (
    (
        "how_to/check_your_recipe_output.txt",
        100,
        ("how_to/check_your_recipe.sh:ask", "how_to/check_your_recipe.sh:compare"),
    ),
    ("tutorial/train_with_grpo_output.txt", 88, ("tutorial/train_with_grpo_ask.sh:ask",)),
)
BEFORE = {"tutorial/train_with_grpo_ask.sh:ask": "source snippets/tutorial/train_with_grpo_settings.sh\n"}


def git(*arguments: str) -> str:
    """Output of a git command in this checkout."""
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True).stdout.strip()


def run_of(versions: dict[str, str], started: datetime) -> records.Run:
    """What the record says of the machine: a CPU, whatever GPU was named."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = records.Machine(
        accelerator="cpu",
        name=platform.processor() or platform.machine(),
        count=os.cpu_count() or 1,
        arch=platform.machine(),
        memory_gib=round(memory, 1),
        kernel=platform.release(),
    )
    software = records.Software(
        python=versions["python"],
        torch=versions["torch"],
        vllm=versions["vllm"],
        verl=versions["verl"],
        ray=versions["ray"],
        transformers=versions["transformers"],
    )
    return records.Run(
        started=started,
        ended=datetime.now(UTC),
        machine=machine,
        software=software,
        commit=git("rev-parse", "HEAD") or None,
        clean=not git("status", "--porcelain"),
    )


def outcome(run: str, region: Region, reports: Sequence[Report | RefusedJob]) -> records.Result:
    """The result of one region on the GPUs of one arch."""
    refused = [f"{item.gpu.name}: {item.problems[0].message}" for item in reports if isinstance(item, RefusedJob)]
    accepted = [item.resolution for item in reports if isinstance(item, Report)]
    return records.Result(
        run=run,
        status="failed" if refused else "passed",
        level="dry run",
        reason=refused[0] if refused else None,
        seconds=sum(job.seconds for job in accepted),
        setup_seconds=0.0,
        sha256=region.sha256,
        rest_sha256=region.rest_sha256,
        file_sha256=region.file_sha256,
        passed={"gpu": ", ".join(item.gpu.name for item in reports)},
        measured={} if refused else {"largest_graph_sequences": float(accepted[0].graphs.max)},
    )


def record() -> list[Path]:
    """Write one record an arch."""
    started = datetime.now(UTC)
    answer = dry_run(Question(gpus=GPUS, script=ROOT / "snippets" / RECIPE))
    run, name = run_of(answer.versions, started), started.strftime("%Y%m%dT%H%M%SZ")
    regions, _ = scan_tree(ROOT / "snippets")
    mine = {key: region for key, region in regions.items() if key.split(":")[0] in FILES}
    written = []
    for arch in sorted({item.gpu.arch for item in answer.reports}):
        reports = [item for item in answer.reports if item.gpu.arch == arch]
        results = {key: outcome(name, region, reports) for key, region in mine.items()}
        kept = records.Record(machine_class=f"dry-run-{arch}").merged(name, run, results, set(regions))
        written.append(records.save(kept, ROOT / "records"))
    return written


def write_output(name: str, width: int, asking: tuple[str, ...]) -> Path:
    """Write what the commands of a page print."""
    environment = os.environ | {"COLUMNS": str(width), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(ROOT)
    regions, _ = scan_tree(ROOT / "snippets")
    printed = {}
    for key in asking:
        command = ["bash", "-c", BEFORE.get(key, "") + regions[key].text]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
        if done.returncode not in (0, 1):
            raise SystemExit(f"record_dry_run: {done.stderr.strip()}")
        lines = "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())
        printed[f"{key.partition(':')[2]}_output"] = lines
    path = ROOT / "snippets" / name
    write_text(path, output(printed))
    return path


def main() -> int:
    """Record and say what was written."""
    for name in [name for name in os.environ if name.startswith(("VLLM_", "TORCH_COMPILE_")) or name == "MODEL"]:
        del os.environ[name]
    for path in [*record(), *(write_output(*shown) for shown in SHOWN)]:
        print(f"record_dry_run: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
