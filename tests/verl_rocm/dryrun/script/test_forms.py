"""What stands before a launch, and what carries it, never decides whether there is a launch."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .samples import ARGUMENTS, BEFORE, CARRIERS, LAUNCH, MODULE, launches

EXPECTED = [(MODULE, ARGUMENTS)]


def carried(tmp_path: Path, body: str) -> list[tuple[str, list[str]]]:
    return [(launch.module, launch.arguments) for launch in launches(tmp_path, body)]


@pytest.mark.parametrize("name", BEFORE)
def test_what_stands_before_the_launch(tmp_path: Path, name: str) -> None:
    """Fails for "a real environment" without the prelude's PATH, for "missing data" without the lenient attempt."""
    assert carried(tmp_path, f"{BEFORE[name]}\n{LAUNCH}") == EXPECTED


@pytest.mark.parametrize("name", CARRIERS)
def test_what_carries_the_launch(tmp_path: Path, name: str) -> None:
    """Fails for all but the plain ones where ``inner`` or ``trainer`` of the stand-ins finds nothing."""
    assert carried(tmp_path, CARRIERS[name](LAUNCH)) == EXPECTED


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.sampled_from(sorted(BEFORE)), max_size=5, unique=True),
    outer=st.sampled_from(["plain", "docker", "ray job", "srun", "ssh", "tmux", "sudo", "login shell", "pipe"]),
    carrier=st.sampled_from(sorted(CARRIERS)),
)
def test_forms_combined(tmp_path: Path, before: list[str], outer: str, carrier: str) -> None:
    """The launch in one form, inside another, behind any of what stands before."""
    body = "\n".join([*(BEFORE[name] for name in before), CARRIERS[outer](CARRIERS[carrier](LAUNCH))])
    assert carried(tmp_path, body) == EXPECTED


def test_the_notes_are_one_line_that_names_all(tmp_path: Path) -> None:
    body = "\n".join(BEFORE[name] for name in ("a missing folder", "a download", "missing data", "python of its own"))
    (launch,) = launches(tmp_path, f"{body}\necho $NNODES $OTHER\n{LAUNCH}")
    assert "\n" not in launch.notes
    for part in (
        "not here: /home/me/project",
        "left out: hf download Qwen/Qwen3-8B",
        "passed over: exit 1",
        "not run: python3 -c import transformers",
        "not set: NNODES (taken as 1), OTHER (empty)",
    ):
        assert part in launch.notes


def test_nothing_left_out_is_no_note(tmp_path: Path) -> None:
    assert launches(tmp_path, LAUNCH)[0].notes == ""


def test_variables_of_a_wrapper_reach_the_launch(tmp_path: Path) -> None:
    inner = f"env NCCL_DEBUG=INFO python3 -m {MODULE} a=1"
    (launch,) = launches(tmp_path, f"docker run -e HIP_VISIBLE_DEVICES=0,1 --env=VLLM_USE_V1=1 img bash -c '{inner}'")
    names = ("HIP_VISIBLE_DEVICES", "VLLM_USE_V1", "NCCL_DEBUG")
    assert [launch.environment.get(name) for name in names] == ["0,1", "1", "INFO"]


def test_what_was_taken_for_unset_variables_is_no_part_of_the_launch(tmp_path: Path) -> None:
    (launch,) = launches(tmp_path, f"export NCCL_X=1\necho $NCCL_UNSET\n{LAUNCH}")
    assert launch.environment["NCCL_X"] == "1" and "NCCL_UNSET" not in launch.environment


@pytest.mark.parametrize(
    "counting",
    [
        "nvidia-smi -L | wc -l",
        "nvidia-smi --query-gpu=name --format=csv,noheader | wc -l",
        "rocm-smi --showid | grep -c 'GPU\\['",
        "amd-smi list | grep -c GPU:",
        "python3 -c 'import torch; print(torch.cuda.device_count())'",
        "/opt/rocm/bin/rocm_agent_enumerator | wc -l",
    ],
)
def test_gpus_are_counted(tmp_path: Path, counting: str) -> None:
    assert launches(tmp_path, f"python3 -m {MODULE} trainer.n=$({counting})")[0].arguments == ["trainer.n=8"]


def test_a_slurm_job_has_the_nodes_of_its_own_lines(tmp_path: Path) -> None:
    body = (
        "#SBATCH --nodes=4\n#SBATCH --gpus-per-node=8\nnodes=$(scontrol show hostnames $SLURM_JOB_NODELIST | wc -l)\n"
        f"srun python3 -m {MODULE} trainer.nnodes=$SLURM_NNODES trainer.n=$SLURM_GPUS_PER_NODE a=$nodes"
    )
    assert launches(tmp_path, body)[0].arguments == ["trainer.nnodes=4", "trainer.n=8", "a=4"]
