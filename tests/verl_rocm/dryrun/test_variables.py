"""Variables that nothing reads: with the release that last did, and what replaced them, from the contracts."""

from __future__ import annotations

import pytest

from verl_rocm.dryrun.variables import unread
from verl_rocm.facts.load import load
from verl_rocm.finding import ISSUES, Finding, site
from verl_rocm.paste import KWARGS

VERSIONS = {"vllm": "0.30.0", "verl": "0.9.1"}


def findings(versions: dict[str, str] = VERSIONS, **exported: str) -> list[Finding]:
    return list(unread(load(), versions, exported))


def test_the_finding_names_the_last_reader_and_the_replacement() -> None:
    (item,) = findings(VLLM_ATTENTION_BACKEND="XFORMERS")
    assert item.title == (
        "VLLM_ATTENTION_BACKEND=XFORMERS does nothing: vLLM 0.30.0 does not read it; "
        "0.14.1 was the last release to read it"
    )
    assert [way.lines for way in item.remedies] == [
        (f"++{KWARGS}.attention_backend=ROCM_AITER_FA",),
        ("unset VLLM_ATTENTION_BACKEND",),
    ]
    assert (item.id, item.url) == ("old-attention-variables-ignored", site(ISSUES, item.id))


def test_a_variable_without_a_replacement_is_left_out() -> None:
    (item,) = findings(VLLM_USE_V1="1")
    assert "0.11.0 was the last release to read it" in item.title
    assert [way.lines for way in item.remedies] == [("unset VLLM_USE_V1",)]


def test_an_argument_of_that_name_is_the_replacement_though_no_issue_says_so() -> None:
    """VLLM_ENABLE_CHUNKED_PREFILL was never read, and the engine has an argument of its name."""
    (item,) = findings(VLLM_ENABLE_CHUNKED_PREFILL="1")
    assert item.id == "variable-not-read"
    assert "no release that this guide knows does" in item.title
    assert [way.text for way in item.remedies] == [
        "The engine argument enable_chunked_prefill replaced it.",
        "Leave it out.",
    ]


@pytest.mark.parametrize(
    ("name", "value", "versions"),
    [
        ("VLLM_ROCM_USE_AITER", "1", VERSIONS),  # read
        ("VLLM_ATTENTION_BACKEND", " ", VERSIONS),  # not set
        ("VLLM_ATTENTION_BACKEND", "XFORMERS", {"vllm": "0.14.1"}),  # read by this release
        ("VLLM_ATTENTION_BACKEND", "XFORMERS", {"vllm": "99.0"}),  # a release that nobody knows
        ("VERL_HOME", "/home/me/verl", VERSIONS),  # a name of the user's own
        ("MY_FLAG", "1", VERSIONS),
    ],
)
def test_no_finding(name: str, value: str, versions: dict[str, str]) -> None:
    assert findings(versions, **{name: value}) == []
