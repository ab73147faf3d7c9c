"""What stands for a scheduler's variables."""

import pytest

from verl_rocm.dryrun.script.slurm import allocation, usual


def test_a_script_without_lines_for_slurm_gets_nothing() -> None:
    assert allocation("echo SBATCH", 8) == {}


@pytest.mark.parametrize(
    ("lines", "nodes", "gpus"),
    [
        ("#SBATCH -N 2\n#SBATCH --gres=gpu:mi300x:4", "2", "4"),
        ("#SBATCH --nodes 16\n#SBATCH --gpus-per-node=8", "16", "8"),
        ("#SBATCH --time=1:00", "1", "6"),
    ],
)
def test_the_lines_of_slurm(lines: str, nodes: str, gpus: str) -> None:
    job = allocation(lines, 6)
    assert (job["SLURM_NNODES"], job["SLURM_GPUS_PER_NODE"]) == (nodes, gpus)
    assert len(job["SLURM_JOB_NODELIST"].split(",")) == int(nodes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NNODES", "1"),
        ("MLP_WORKER_NUM", "1"),
        ("NODE_RANK", "0"),
        ("MASTER_ADDR", "127.0.0.1"),
        ("N_GPUS_PER_NODE", "8"),
        ("MODEL_PATH", "/MODEL_PATH"),
        ("EXPERIMENT", ""),
    ],
)
def test_what_an_unset_variable_is_taken_as(name: str, value: str) -> None:
    assert usual(name, 8) == value
