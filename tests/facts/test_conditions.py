"""Conditions of a known issue: each kind holds, does not hold, and cannot be decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verl_rocm.facts.conditions import Circumstances, Conditions, holds
from verl_rocm.facts.load import load

EXPANDABLE = "expandable_segments:True"
NOTHING = Circumstances()
KINDS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # conditions, circumstances in which they hold, and in which they do not
    ({"sleep": True}, {"sleep": True}, {"sleep": False}),
    ({"sleep_pool": False}, {"sleep_pool": False}, {"sleep_pool": True}),
    ({"moe": True}, {"moe": True}, {"moe": False}),
    ({"architecture": "DeepseekV4*"}, {"architecture": "DeepseekV4ForCausalLM"}, {"architecture": "Qwen3ForCausalLM"}),
    ({"gpu": "MI325X|MI308X"}, {"gpu": "MI308X"}, {"gpu": "MI300X"}),
    ({"nodes": ">1"}, {"nodes": 2}, {"nodes": 1}),
    ({"quantization": "*fp8*"}, {"settings": {"quantization": "ptpc_fp8"}}, {"settings": {"quantization": None}}),
    ({"quantization": "null"}, {"settings": {"quantization": None}}, {"settings": {"quantization": "fp8"}}),
    ({"settings": {"n": ">64"}}, {"settings": {"n": 65}}, {"settings": {"n": 64}}),
    ({"settings": {"n": ">=1.5"}}, {"settings": {"n": "1.5"}}, {"settings": {"n": "many"}}),
    ({"settings": {"eager": False}}, {"settings": {"eager": "false"}}, {"settings": {"eager": True}}),
    ({"settings": {"n": (">1", "<9")}}, {"settings": {"n": 8}}, {"settings": {"n": 9}}),
    ({"environment": {"X": "set"}}, {"environment": {"X": "0"}}, {"environment": {"X": " "}}),
    ({"environment": {"X": "present"}}, {"environment": {"X": ""}}, {"environment": {}}),
    ({"environment": {"X": "absent"}}, {"environment": {}}, {"environment": {"X": ""}}),
    ({"environment": {"X": "empty"}}, {"environment": {"X": ""}}, {"environment": {"X": "1"}}),
    ({"environment": {"X": "!*a*"}}, {"environment": {}}, {"environment": {"X": "xAx"}}),
    ({"environment": {"X": "!$Y"}}, {"environment": {"X": "1", "Y": "2"}}, {"environment": {"X": "1", "Y": "1"}}),
    ({"environment": {"X": "1"}}, {"environment": {"X": "true"}}, {"environment": {"X": "0"}}),
    ({"machine": {"nofile": ("<9", ">=0")}}, {"machine": {"nofile": 8}}, {"machine": {"nofile": -1}}),
    ({"packages": {"t": ">=5.dev0"}}, {"packages": {"t": "5.0.0rc1"}}, {"packages": {"t": "4.57"}}),
    (
        {"expandable_segments": True},
        {"environment": {"PYTORCH_HIP_ALLOC_CONF": EXPANDABLE}},
        {"environment": {"PYTORCH_ALLOC_CONF": "a:1", "PYTORCH_HIP_ALLOC_CONF": EXPANDABLE}},  # torch takes the first
    ),
    (
        {"any_of": [{"sleep": True}, {"graphs": True}]},
        {"sleep": False, "graphs": True},
        {"sleep": False, "graphs": False},
    ),
    ({"sleep": True, "graphs": True}, {"sleep": True, "graphs": True}, {"graphs": False}),
]


@pytest.mark.parametrize(("conditions", "met", "unmet"), KINDS, ids=[str(kind[0]) for kind in KINDS])
def test_each_kind(conditions: dict[str, Any], met: dict[str, Any], unmet: dict[str, Any]) -> None:
    kind = Conditions.model_validate(conditions)
    assert holds(kind, replace(NOTHING, **met)) is True
    assert holds(kind, replace(NOTHING, **unmet)) is False
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
