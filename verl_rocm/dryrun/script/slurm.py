"""The variables that Slurm, torchrun and schedulers like them would set, for scripts that run without any."""

from __future__ import annotations

import re

NODES = re.compile(r"^#SBATCH\s+(?:--nodes[= ]|-N\s*)(\d+)", re.MULTILINE)
CPUS = re.compile(r"^#SBATCH\s+(?:--cpus-per-task[= ]|-c\s*)(\d+)", re.MULTILINE)
GPUS = re.compile(r"^#SBATCH\s+--(?:gpus-per-node|gres|gpus-per-task)[= ](?:gpu:)?(?:\w+:)?(\d+)", re.MULTILINE)
# What a variable that nobody set stands for, by its name: one node, the first of them, all its GPUs.
USUAL = (
    (re.compile(r"(^|_)(NNODES|NUM_NODES|NODES|WORLD_SIZE|WORKER_NUM|NODE_COUNT|HOST_NUM)$"), "1"),
    (re.compile(r"(^|_)(RANK|NODE_RANK|ROLE_INDEX|PROC_ID|PROCID|LOCALID|ARNOLD_ID|NODEID|TASK_ID)$"), "0"),
    (re.compile(r"(^|_)(MASTER_ADDR|MASTER_IP|HEAD_IP|HEAD_NODE_IP|HOST_IP|WORKER_0_HOST|RAY_IP)$"), "127.0.0.1"),
    (re.compile(r"(^|_)(MASTER_PORT|RAY_PORT|PORT)$"), "29500"),
    (re.compile(r"(^|_)(N_?GPUS?|NUM_GPUS|GPUS_PER_NODE|NGPUS_PER_NODE|NPROC_PER_NODE|WORKER_GPU|GPU_NUM)$"), "{gpus}"),
    (re.compile(r"(^|_)(JOB_?ID|USER|LOGNAME|RUN_ID)$"), "1"),
)


def allocation(text: str, gpus: int) -> dict[str, str]:
    """What Slurm would export for the ``#SBATCH`` lines of ``text``; nothing where there are none."""
    if "#SBATCH" not in text:
        return {}

    def number(pattern: re.Pattern[str], default: int) -> int:
        lines = pattern.findall(text)
        return int(lines[-1]) if lines else default

    nodes = number(NODES, 1)
    names = ",".join(f"node{n}" for n in range(nodes))
    return {
        "SLURM_JOB_ID": "1",
        "SLURM_JOBID": "1",
        "SLURM_JOB_NAME": "job",
        "SLURM_NNODES": str(nodes),
        "SLURM_JOB_NUM_NODES": str(nodes),
        "SLURM_JOB_NODELIST": names,
        "SLURM_NODELIST": names,
        "SLURM_NODEID": "0",
        "SLURM_PROCID": "0",
        "SLURM_NTASKS": str(nodes),
        "SLURM_CPUS_PER_TASK": str(number(CPUS, 1)),
        "SLURM_GPUS_PER_NODE": str(number(GPUS, gpus)),
        "SLURM_GPUS_ON_NODE": str(number(GPUS, gpus)),
        "SLURM_SUBMIT_DIR": ".",
    }


def usual(name: str, gpus: int) -> str:
    """The value that stands for the variable ``name``, which nobody set; empty where its name does not tell.

    A model, a file or a folder is taken as ``/NAME``, so that a report names what is missing.
    """
    if re.search(r"MODEL|ADAPTER|(DATA|CKPT|SAVE|OUTPUT|PROJECT|WORK).*(DIR|PATH|ROOT|HOME)$", name):
        return f"/{name}"
    return next((value.format(gpus=gpus) for pattern, value in USUAL if pattern.search(name)), "")
