"""The proposed change is the smallest that holds in the worst case of the estimate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.verl_rocm.memory.samples import weighed
from verl_rocm.memory import advice
from verl_rocm.memory.rollout import GIB


def test_utilization_is_the_smallest_hundredth() -> None:
    assert advice.utilization(weighed(weights=14, most=8), 64 * GIB) == 0.45  # 86 of 192 GiB are 0.4479


def test_no_utilization_above_the_ceiling() -> None:
    assert advice.utilization(weighed(weights=150, most=8), 20 * GIB) is None


def test_ranks_double_until_the_share_holds_the_weights() -> None:
    assert advice.ranks(weighed(weights=300), 1, 8, GIB) == 4  # 150.5 GiB at two ranks, 75.25 at four; the share has 88
    assert advice.ranks(weighed(weights=3000), 1, 8, GIB) is None


def test_a_job_sends_an_engine_its_part() -> None:
    assert advice.at_once(1024, 256, 8, 4) == 512
    assert advice.at_once(256, 256, 8, 4) == 256
    assert advice.at_once(1024, 1, 1, 8) == 1


@given(st.floats(1, 150), st.integers(0, 100 * GIB))
def test_what_is_proposed_holds(weights: float, cache: int) -> None:
    subject = weighed(weights=weights)
    share = advice.utilization(subject, cache)
    if share is not None and subject.overhead is not None:
        assert share * subject.total >= subject.weights.total + subject.overhead.total.high + cache - 1
