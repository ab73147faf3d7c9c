"""Property: whatever is done to a list of overrides, the answer is a report or one line, and never a traceback."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verl_rocm.engine import jobs
from tests.verl_rocm.engine.mutations import mutate
from verl_rocm.worker import compose
from verl_rocm.worker.problem import Problem


def one_line(problem: dict[str, str]) -> None:
    assert problem["stage"] != "fault", problem
    text = problem["message"] + problem["hint"]
    assert "\n" not in text and "Traceback" not in text and text.strip()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(choices=st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_composing_ends_in_a_config_or_one_line(choices: list[int]) -> None:
    try:
        compose.compose("verl.trainer.main_ppo", mutate(jobs.PAGE, choices))
    except Problem as problem:
        one_line(problem.as_dict())


def test_the_whole_path_ends_in_a_report_or_one_line() -> None:
    results = [made for name, made in jobs.answers().items() if name.startswith("mutation")]
    refused = [result["problem"] for result in results if "problem" in result]
    for problem in refused:
        one_line(problem)
    assert refused and len(refused) < len(results), "the mutations reach both ends"
