"""Known issues by what ends them."""

from __future__ import annotations

from verl_rocm.cures import cures
from verl_rocm.facts.schema import Confidence
from verl_rocm.finding import Finding, Remedy


def issue(name: str, *remedies: Remedy, confidence: Confidence = "reported") -> Finding:
    return Finding(id=name, title=name, confidence=confidence, remedies=remedies, known_issue=True)


def upgrade(**releases: str) -> Remedy:
    return Remedy(text="Use a release.", upgrade=releases)


def lines(*texts: str) -> Remedy:
    return Remedy(text="Set it.", lines=texts)


def ids(*issues: Finding) -> list[list[str]]:
    return [[item.id for item in cure.issues] for cure in cures(issues)]


def test_one_upgrade_ends_many_at_the_lowest_release_that_ends_all() -> None:
    first, second = issue("a", upgrade(vllm=">=0.25.0")), issue("b", upgrade(vllm=">=0.31.0"))
    third = issue("c", upgrade(rocm=">=7.13"))
    groups = cures([third, first, second])
    assert [cure.upgrade for cure in groups] == [("vllm", "0.31.0"), ("rocm", "7.13")]
    assert [[item.id for item in cure.issues] for cure in groups] == [["a", "b"], ["c"]]


def test_versions_are_compared_as_versions() -> None:
    assert cures([issue("a", upgrade(rocm=">=7.2.2")), issue("b", upgrade(rocm=">=7.13"))])[0].upgrade == (
        "rocm",
        "7.13",
    )


def test_an_alternative_joins_the_larger_group() -> None:
    either = issue("a", upgrade(rocm=">=7.13"), upgrade(vllm=">=0.25.0"))
    assert ids(either, issue("b", upgrade(vllm=">=0.26.0"))) == [["a", "b"]]


def test_settings_come_after_upgrades_and_what_stays_is_last() -> None:
    groups = cures(
        [
            issue("stays", Remedy(text="Reboot.")),
            issue("b", lines("x=1")),
            issue("c", lines("y=1"), lines("x=1")),
            issue("d", upgrade(vllm=">=1"), lines("x=1")),
        ]
    )
    assert [(cure.upgrade, cure.lines, [i.id for i in cure.issues]) for cure in groups] == [
        (("vllm", "1"), (), ["d"]),
        (None, ("x=1",), ["b", "c"]),
        (None, (), ["stays"]),
    ]


def test_confirmed_issues_come_first_and_each_counts_once() -> None:
    reported, confirmed = issue("a", lines("x=1")), issue("z", lines("x=1"), confidence="confirmed")
    assert ids(reported, confirmed) == [["z", "a"]]


def test_an_upgrade_that_needs_a_setting_or_two_projects_is_no_plain_upgrade() -> None:
    with_line = issue("a", Remedy(text="Move them.", lines=("x=1",), upgrade={"vllm": ">=0.32.0"}))
    both = issue("b", upgrade(vllm=">=1", verl=">=1"))
    assert [cure.upgrade for cure in cures([with_line, both])] == [None, None]


def test_what_an_upgrade_brings_is_said_beside_it() -> None:
    groups = cures([issue("a", upgrade(rocm=">=7.13"))], lambda component, version: [f"new-{component}-{version}", "a"])
    assert groups[0].brings == ("new-rocm-7.13",)
