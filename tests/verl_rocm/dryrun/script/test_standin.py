"""What a stand-in makes of its words; nothing is started."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verl_rocm.dryrun.script.forms import WRAPPERS
from verl_rocm.dryrun.script.standin import Code, Inner, Start, decide, variables

MODULE = "verl.trainer.main_ppo"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"python3 -u -m {MODULE} a=1", Start(MODULE, ("a=1",))),
        ("python3 /w/verl/trainer/main_ppo.py a=1", Start(MODULE, ("a=1",))),
        (f"torchrun --nproc_per_node 8 -m {MODULE} a=1", Start(MODULE, ("a=1",))),
        ("python3 train.py trainer.nnodes=1", Start("train", ("trainer.nnodes=1",))),
        ("python3 -m recipe.dapo.main_dapo data.x=1", Start("recipe.dapo.main_dapo", ("data.x=1",))),
        ("python3 -m agents.main --config-name=x", Start("agents.main", ("--config-name=x",))),
        ("python3 -m verl.model_merger merge --backend fsdp", None),
        ("python3 prepare.py --out /data", None),
        ("python3 -m pip install verl", None),
        ("python3 -c 'print(3)'", Code("print(3)")),
        ("python3 -u -", Code(None)),
        ("python3", Code(None)),
        ("ray stop --force", None),
        ("docker ps", None),
        ("srun hostname -I", Inner(("hostname", "-I"))),
        ("timeout 9 bash -xc 'echo 1' name", Inner(("bash", "-c", "echo 1", "name"))),
        ("sbatch -N 2 run.slurm a", Inner(("bash", "run.slurm", "a"))),
        ("ssh host pkill -f verl.trainer.main_ppo", None),
        ("docker run -e A=1 img bash -lc 'x y'", Inner(("bash", "-c", "x y"), {"A": "1"})),
    ],
)
def test_decisions(line: str, expected: Start | Inner | Code | None) -> None:
    name, *words = shlex.split(line)
    assert decide(name, words) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("env A=1 B=x=y python", {"A": "1", "B": "x=y"}),
        ("srun --export=ALL,A=1,B=2 python", {"A": "1", "B": "2"}),
        ("mpirun -x A=1 -np 8 python", {"A": "1"}),
        ("docker run --env A=a,b --env-file f img", {"A": "a,b"}),
        ('ray job submit --runtime-env-json \'{"env_vars": {"A": 1}}\' --', {"A": "1"}),
        ("ray job submit --runtime-env-json=broken --", {}),
        ("docker run -v a=b img key=value", {}),
    ],
)
def test_variables_of_a_wrapper(line: str, expected: dict[str, str]) -> None:
    name, *words = shlex.split(line)
    assert variables(words, name) == expected


@given(
    name=st.sampled_from(WRAPPERS),
    before=st.lists(st.from_regex(r"-{1,2}[a-z-]{1,8}(=[a-z0-9/]{1,6})?", fullmatch=True), max_size=4),
    arguments=st.lists(st.from_regex(r"[a-z_.]{1,8}=[ -~]{0,12}", fullmatch=True), max_size=4),
)
def test_any_wrapper_with_any_options_carries_the_launch(name: str, before: list[str], arguments: list[str]) -> None:
    """As words of its own, and as a text for a shell."""
    launch = ["python3", "-m", MODULE, *arguments]
    assert decide(name, [*before, *launch]) == Start(MODULE, tuple(arguments))
    carried = decide(name, [*before, "bash", "-lc", shlex.join(launch)])
    assert isinstance(carried, Inner) and carried.command == ("bash", "-c", shlex.join(launch))
