"""The judge of the sleep check: against logs of public threads, at its limits, and weakened on purpose."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from tests.support.sleep_cases import LIMITS, REPLAYED, Case
from verl_rocm.facts.load import load
from verl_rocm.facts.schema import SleepFailure
from verl_rocm.sleepcheck import judge as page

SOURCE = Path(page.__file__).read_text()
CASES = (*REPLAYED, *LIMITS)


def kinds(judge: Callable[[Any], list[Any]], case: Case) -> tuple[str, ...]:
    return tuple(dict.fromkeys(failure.kind for failure in judge(case.run)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_is_judged_for_the_right_reason(case: Case) -> None:
    assert kinds(page.judge, case) == case.kinds


WEAKER = {
    "90 %: half is enough": ("FREED = 0.9", "FREED = 0.5"),
    "90 %: a little less": ("FREED = 0.9", "FREED = 0.85"),
    "90 %: stricter than blocks allow": ("FREED = 0.9", "FREED = 0.99"),
    "any fall is enough": ("if freed <= FREED * run.expected:", "if freed <= 0:"),
    "the average GPU": ("awake - asleep\n", "(sum(cycle.awake) - sum(cycle.asleep)) / len(cycle.awake)\n"),
    "the first GPU alone": (
        "zip(cycle.awake, cycle.asleep, cycle.woken, strict=True)",
        "zip(cycle.awake[:1], cycle.asleep, cycle.woken)",
    ),
    "growth: the warm-up counts": ("pairwise(series[1:])", "pairwise([2 * series[0] - series[-1], *series])"),
    "the first cycle alone": ("enumerate(run.cycles, start=1)", "enumerate(run.cycles[:1], start=1)"),
    "part of it passes for nothing": ("SOME = 0.2", "SOME = 0.5"),
    "nothing passes for part of it": ("SOME = 0.2", "SOME = 0.0"),
    "comes back: not asked": ("elif woken - asleep <= FREED * run.expected:", "elif False:"),
    "comes back: half is enough": ("elif woken - asleep <= FREED *", "elif woken - asleep <= 0.5 *"),
    "more after wake-up: not asked": ("EXTRA = 0.1", "EXTRA = 9"),
    "more after wake-up: too strict": ("EXTRA = 0.1", "EXTRA = 0.01"),
    "text: not asked": ("(old.text, old.tokens) != (new.text, new.tokens)", "False"),
    "text: without the tokens": ("(old.text, old.tokens) != (new.text, new.tokens)", "old.text != new.text"),
    "tokens: without the text": ("(old.text, old.tokens) != (new.text, new.tokens)", "old.tokens != new.tokens"),
    "long prompt: not asked": ("list(zip(before, after, strict=True))", "list(zip(before[:1], after[:1]))"),
    "long prompt: not told apart": ('return "long text changed"', 'return "text changed"'),
    "long prompt: blamed for every change": (' and all(answer.prompt == "long" for answer in changed)', ""),
    "log-probabilities: not asked": ("LOGPROB = 0.02", "LOGPROB = 9"),
    "log-probabilities: too strict": ("LOGPROB = 0.02", "LOGPROB = 0.001"),
    "log-probabilities: NaN passes": ("if not abs(one - other) <= LOGPROB:", "if abs(one - other) > LOGPROB:"),
    "the engine against itself: not asked": ("difference(run.reference, run.repeated)", "None"),
    "growth: not asked": ("LEAK_BYTES = 4 * MIB", "LEAK_BYTES = 40000 * MIB"),
    "growth: 8 MiB a cycle is fine": ("LEAK_BYTES = 4 * MIB", "LEAK_BYTES = 8 * MIB"),
    "growth: too strict": ("LEAK_BYTES = 4 * MIB", "LEAK_BYTES = 2 * MIB"),
    "growth: the first GPU alone": ("range(len(run.cycles[0].asleep) if", "range(1 if"),
    "growth: a jump counts": ("[1:-1]", "[1:]"),
    "growth: a drop excuses it": ("[1:-1]", "[:-1]"),
    "growth: the largest step": ("return sum(steps) / len(steps)", "return max(steps)"),
    "growth: the smallest step": ("return sum(steps) / len(steps)", "return min(steps)"),
    "files: not asked": ("LEAK_FILES = 0.25", "LEAK_FILES = 100"),
    "files: one a cycle is fine": ("LEAK_FILES = 0.25", "LEAK_FILES = 1.01"),
    "files: too strict": ("LEAK_FILES = 0.25", "LEAK_FILES = 0.01"),
    "too few cycles pass": ("CYCLES = 5", "CYCLES = 4"),
    "an exception passes": ("if run.broke:", "if False:"),
}


def weakened(old: str, new: str) -> ModuleType:
    assert SOURCE.count(old) == 1, f"the mutation no longer fits the judge: {old!r}"
    module = ModuleType("weakened")
    sys.modules["weakened"] = module  # a dataclass looks its own module up
    exec(compile(SOURCE.replace(old, new), "weakened", "exec"), vars(module))
    return module


@pytest.mark.parametrize("change", WEAKER.values(), ids=WEAKER)
def test_a_judge_that_is_changed_in_one_criterion_is_caught(change: tuple[str, str]) -> None:
    judge = weakened(*change).judge
    assert any(differs(judge, case) for case in CASES)


def differs(judge: Callable[[Any], list[Any]], case: Case) -> bool:
    try:
        return kinds(judge, case) != case.kinds
    except ArithmeticError:
        return True


@pytest.mark.parametrize("case", REPLAYED, ids=lambda case: case.name)
def test_a_replayed_thread_leads_the_reader_to_that_thread(case: Case) -> None:
    failures = page.judge(case.run)
    text = page.report(case.run, failures)
    assert text.splitlines()[-1].startswith("FAIL" if case.kinds else "PASS")
    number = re.search(r"\d+$", case.source)
    issues = [issue for failure in failures for issue in page.looks_like(failure.kind, {}, load())]
    cited = {getattr(evidence, "number", None) for issue in issues for evidence in issue.evidence}
    hinted = any(failure.kind in page.HINTS for failure in failures)
    assert not case.kinds or hinted or (number and int(number[0]) in cited), case.source


def test_every_failure_leads_to_a_known_issue_or_says_what_it_means() -> None:
    produced = {kind for case in CASES for kind in case.kinds}
    known = {kind for issue in load().issues.values() for kind in issue.sleep_failures}
    assert produced == {*known, *page.HINTS, "too few cycles"}
    assert produced == set(get_args(SleepFailure))


def test_known_issues_are_narrowed_by_the_versions() -> None:
    def ids(**versions: str | None) -> list[str]:
        return [issue.id for issue in page.looks_like("not freed", versions, load())]

    assert "sleep-leaves-vram-full" in ids(vllm="0.24.0", arch="gfx942")
    assert "sleep-leaves-vram-full" not in ids(vllm="0.30.0", arch="gfx942")
    assert "sleep-leaves-vram-full" in ids()  # nothing is known, so nothing is ruled out
