"""Version ranges with the odd version strings that builds print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verl_rocm.facts.schema import Issue
from verl_rocm.facts.versions import Versions, contains, empty

ODD = "0.22.1rc1.dev5+g18d87a87d.rocm714"


@pytest.mark.parametrize(
    ("spec", "version", "inside"),
    [
        (">=0.11.1", ODD, True),
        ("<0.22.1", ODD, True),  # a build on the way to 0.22.1 has not reached it
        (">=0.22.1", ODD, False),
        (">=0.22", ODD, True),
        ("<=0.33.0", "0.33.0+rocm70", True),
        ("==0.33.0", "0.33.0+rocm70", True),
        ("<0.33.0", "0.33.0rc1", True),
        (">7.2", "7.2.53211", True),
        ("==7.2.*", "7.2.53211", True),
        ("==7.2.*", "7.2.53211-abc", False),  # no PEP 440 version
        ("~=6.4.0", "6.4.3", True),
        ("!=0.25.0", "0.25.0", False),
        (">=0.8.5", "0.8.5.post1", True),
    ],
)
def test_contains(spec: str, version: str, inside: bool) -> None:
    assert contains(spec, version) is inside


@pytest.mark.parametrize(
    ("spec", "nothing"),
    [
        (">=2,<1", True),
        ("==1.0,!=1.0", True),
        (">1,<1", True),
        ("==1.2.*,>=1.3", True),
        ("<=1,>1", True),
        (">=1,<2", False),
        ("==1.0", False),
        (">=1,<=1", False),
        ("!=1.0", False),
        (">=6.4.0,<6.4.1", False),
        ("~=2.1", False),
    ],
)
def test_empty(spec: str, nothing: bool) -> None:
    assert empty(spec) is nothing


@pytest.mark.parametrize(
    ("installed", "says"),
    [
        ({"vllm": "0.12.0", "rocm": "7.0", "arch": "gfx942"}, True),
        ({"vllm": "0.12.0", "rocm": "7.0", "arch": "gfx942:sramecc+:xnack-"}, True),
        ({"vllm": "0.12.0", "rocm": "7.0", "arch": "gfx950"}, False),
        ({"vllm": "0.11.0", "rocm": None}, False),  # what is known decides
        ({"vllm": "0.12.0", "rocm": None, "arch": "gfx942"}, None),
        ({"vllm": "0.12.0", "rocm": "", "arch": "gfx942"}, None),
        ({"vllm": "0.12.0", "rocm": "unknown", "arch": "gfx942"}, None),
        ({"vllm": "0.12.0", "rocm": "7.0"}, None),
        ({}, None),
    ],
)
def test_match(installed: dict[str, str | None], says: bool | None) -> None:
    assert Versions(vllm=">=0.11.1", rocm=">=7.0", archs=("gfx942",)).match(installed) is says


NUMBERS = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)).map(lambda n: ".".join(map(str, n)))
CLAUSES = st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS).map("".join)


@given(st.lists(CLAUSES, min_size=1, max_size=4).map(",".join), NUMBERS)
def test_a_range_that_holds_a_version_is_never_empty(spec: str, version: str) -> None:
    assert not (empty(spec) and contains(spec, version))


def test_releases_in_a_range() -> None:
    known = ["0.8.4", "0.11.0", "0.11.1", "0.12.0"]
    assert Versions(vllm=">=0.11,<0.12").releases("vllm", known) == ["0.11.0", "0.11.1"]
    assert Versions().releases("vllm", known) == known


ISSUE = {
    "id": "a",
    "title": "t",
    "group": "s",
    "description": "s",
    "cause": "c",
    "diagnosis": "t",
    "applies_when": {},
    "fixes": [{"text": "f"}],
    "confidence": "reported",
    "evidence": [{"type": "issue", "repo": "a/b", "number": 1, "read": "2026-11-01"}],
    "checked": "2026-11-01",
    "versions": {"vllm": "<0.25.1"},
    "fixed_in": [{"vllm": ">=0.25.1"}, {"rocm": ">=7.14"}],
}


@pytest.mark.parametrize(
    ("installed", "says"),
    [
        ({"vllm": ODD, "rocm": "7.2"}, True),
        ({"vllm": "0.25.1", "rocm": "7.2"}, False),
        ({"vllm": "0.24.0", "rocm": "7.14.0"}, False),
        ({"vllm": "0.24.0"}, None),
    ],
)
def test_an_issue_ends_with_any_of_its_fixes(installed: dict[str, str | None], says: bool | None) -> None:
    assert Issue.model_validate(ISSUE).affects(installed) is says
