"""Property: whatever is done to a list of overrides, the answer is a report or one line, and never a traceback."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verl_rocm.engine import jobs
from tests.verl_rocm.engine.mutations import mutate
from verl_rocm.dryrun.report import RefusedJob
from verl_rocm.worker import compose
from verl_rocm.worker.problem import Refused
from verl_rocm.worker.wire import Problem


def one_line(problem: Problem) -> None:
    assert problem.stage != "fault", problem
    text = problem.message + problem.hint
    assert "\n" not in text and "Traceback" not in text and text.strip()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(choices=st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_composing_ends_in_a_config_or_one_line(choices: list[int]) -> None:
    try:
        _, _, problems = compose.compose("verl.trainer.main_ppo", mutate(jobs.PAGE, choices))
    except Refused as refused:
        problems = [refused.problem]
    for problem in problems:
        one_line(problem)


def test_the_whole_path_ends_in_a_report_or_one_line() -> None:
    results = [answer for name, answer in jobs.answers().items() if name.startswith("mutation")]
    refused = [answer for answer in results if isinstance(answer, RefusedJob)]
    for answer in refused:
        for problem in answer.problems:
            one_line(problem)
    assert refused and len(refused) < len(results), "the mutations reach both ends"
