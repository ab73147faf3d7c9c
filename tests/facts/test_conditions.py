"""Conditions of a known issue: each kind holds, does not hold, and cannot be decided."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verl_rocm.facts.conditions import Circumstances, Conditions, holds
from verl_rocm.facts.load import load

EXPANDABLE = "expandable_segments:True"
NOTHING = Circumstances()
KINDS: list[tuple[dict[str, object], Circumstances, Circumstances]] = [
    # conditions, circumstances in which they hold, and in which they do not
    ({"sleep": True}, Circumstances(sleep=True), Circumstances(sleep=False)),
    ({"sleep_pool": False}, Circumstances(sleep_pool=False), Circumstances(sleep_pool=True)),
    ({"moe": True}, Circumstances(moe=True), Circumstances(moe=False)),
    (
        {"architecture": "DeepseekV4*"},
        Circumstances(architecture="DeepseekV4ForCausalLM"),
        Circumstances(architecture="Qwen3ForCausalLM"),
    ),
    ({"gpu": "MI325X|MI308X"}, Circumstances(gpu="MI308X"), Circumstances(gpu="MI300X")),
    ({"nodes": ">1"}, Circumstances(nodes=2), Circumstances(nodes=1)),
    (
        {"quantization": "*fp8*"},
        Circumstances(settings={"quantization": "ptpc_fp8"}),
        Circumstances(settings={"quantization": None}),
    ),
    (
        {"quantization": "null"},
        Circumstances(settings={"quantization": None}),
        Circumstances(settings={"quantization": "fp8"}),
    ),
    ({"settings": {"n": ">64"}}, Circumstances(settings={"n": 65}), Circumstances(settings={"n": 64})),
    ({"settings": {"n": ">=1.5"}}, Circumstances(settings={"n": "1.5"}), Circumstances(settings={"n": "many"})),
    (
        {"settings": {"eager": False}},
        Circumstances(settings={"eager": "false"}),
        Circumstances(settings={"eager": True}),
    ),
    ({"settings": {"n": (">1", "<9")}}, Circumstances(settings={"n": 8}), Circumstances(settings={"n": 9})),
    ({"environment": {"X": "set"}}, Circumstances(environment={"X": "0"}), Circumstances(environment={"X": " "})),
    ({"environment": {"X": "present"}}, Circumstances(environment={"X": ""}), Circumstances(environment={})),
    ({"environment": {"X": "absent"}}, Circumstances(environment={}), Circumstances(environment={"X": ""})),
    ({"environment": {"X": "empty"}}, Circumstances(environment={"X": ""}), Circumstances(environment={"X": "1"})),
    ({"environment": {"X": "!*a*"}}, Circumstances(environment={}), Circumstances(environment={"X": "xAx"})),
    (
        {"environment": {"X": "!$Y"}},
        Circumstances(environment={"X": "1", "Y": "2"}),
        Circumstances(environment={"X": "1", "Y": "1"}),
    ),
    ({"environment": {"X": "1"}}, Circumstances(environment={"X": "true"}), Circumstances(environment={"X": "0"})),
    (
        {"machine": {"nofile": ("<9", ">=0")}},
        Circumstances(machine={"nofile": 8}),
        Circumstances(machine={"nofile": -1}),
    ),
    ({"packages": {"t": ">=5.dev0"}}, Circumstances(packages={"t": "5.0.0rc1"}), Circumstances(packages={"t": "4.57"})),
    (
        {"expandable_segments": True},
        Circumstances(environment={"PYTORCH_HIP_ALLOC_CONF": EXPANDABLE}),
        Circumstances(
            environment={"PYTORCH_ALLOC_CONF": "a:1", "PYTORCH_HIP_ALLOC_CONF": EXPANDABLE}
        ),  # torch takes the first
    ),
    (
        {"any_of": [{"sleep": True}, {"graphs": True}]},
        Circumstances(sleep=False, graphs=True),
        Circumstances(sleep=False, graphs=False),
    ),
    ({"sleep": True, "graphs": True}, Circumstances(sleep=True, graphs=True), Circumstances(graphs=False)),
]


@pytest.mark.parametrize(("conditions", "met", "unmet"), KINDS, ids=[str(kind[0]) for kind in KINDS])
def test_each_kind(conditions: dict[str, object], met: Circumstances, unmet: Circumstances) -> None:
    kind = Conditions.model_validate(conditions)
    assert holds(kind, met) is True
    assert holds(kind, unmet) is False
    assert holds(kind, NOTHING) is None


def test_an_event_is_never_decided_but_can_be_ruled_out() -> None:
    kind = Conditions(sleep=True, event="a request arrives")
    assert holds(kind, Circumstances(sleep=True)) is None
    assert holds(kind, Circumstances(sleep=False)) is False


def test_no_condition_is_met_by_every_job() -> None:
    assert holds(Conditions(), NOTHING) is True


def test_every_kind_of_condition_has_a_case() -> None:
    tried = {name for conditions, _, _ in KINDS for name in conditions}
    untried = (
        set(Conditions.model_fields) - tried - {"graphs", "event", "hybrid", "critic", "megatron", "radeon", "replicas"}
    )
    assert untried == set()


@given(st.dictionaries(st.sampled_from(["PYTORCH_ALLOC_CONF", "X"]), st.text(max_size=8)), st.booleans())
def test_what_is_known_never_makes_a_decision_unknown(environment: dict[str, str], sleep: bool) -> None:
    """Circumstances that say more may decide, and never take a decision back."""
    for issue in load().issues.values():
        little = holds(issue.applies_when, Circumstances(sleep=sleep))
        more = holds(issue.applies_when, Circumstances(sleep=sleep, sleep_pool=sleep, environment=environment))
        assert little is None or little is more
