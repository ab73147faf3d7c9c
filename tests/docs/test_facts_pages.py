"""Directives and roles over facts: what they show, what they report, and which pages a changed fact rebuilds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from facts_pages import words
from tests.docs.facts_guide import FactsGuide
from tests.facts import base
from verl_rocm.facts.load import read

SLEEP = "verl_rocm/facts/settings/sleep.toml"
KNOWN = "verl_rocm/facts/known_issues/sleep.toml"


@pytest.fixture
def guide(tmp_path: Path) -> FactsGuide:
    """A sound little guide over facts."""
    return FactsGuide(tmp_path)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (">=0.11.1", "0.11.1 and later"),
        ("<0.25.0,>=0.11.1", "0.11.1 and later, before 0.25.0"),
        (">=0.11.1,<0.25,!=0.19.*", "0.11.1 and later, before 0.25, not 0.19.*"),
        (">1,<=2", "after 1, up to 2"),
        ("==0.32.0", "0.32.0 only"),
        ("~=1.4", "~= 1.4"),
    ],
)
def test_a_range_in_words(spec: str, sentence: str) -> None:
    assert words.specifier(spec) == sentence


@pytest.mark.parametrize(
    ("having", "sentence"),
    [
        ("1 2 3 4 5", "all"),
        ("1 2", "up to 2"),
        ("1", "1 only"),
        ("3 4 5", "3 and later"),
        ("5", "5 and later"),
        ("2 3 5", "2 to 3, 5 and later"),
        ("2 4", "2 only, 4 only"),
    ],
)
def test_releases_as_ranges(having: str, sentence: str) -> None:
    assert words.span(having.split(), ["1", "2", "3", "4", "5"]) == sentence


@pytest.mark.parametrize(
    ("fields", "value", "line"),
    [
        ('where = "env"\nname = "A_B"\nkind = "int"', 4, "export A_B=4"),
        ('where = "env"\nname = "A_B"\nkind = "int"', "measure", ""),
        ('where = "env"\nname = "A_B"\nkind = "str"', "unset", ""),
        ('where = "env"\nname = "A_B"\nkind = "str"', "the node's interface", ""),
        ('where = "env"\nname = "A_B"\nkind = "str"', "gfx942;gfx950", "export A_B='gfx942;gfx950'"),
        ('where = "verl"\nname = "trainer.nnodes"\nkind = "int"', 2, "trainer.nnodes=2"),
        ('where = "verl"\nname = "trainer.nnodes"\nkind = "int"', "null", "trainer.nnodes=null"),
        ('where = "verl"\nname = "trainer.nnodes"\nkind = "int"', "TP*DP", ""),
        ('where = "verl"\nname = "trainer.extra"\nkind = "bool"', True, "++trainer.extra=True"),
        ('where = "verl"\nname = "r.engine_kwargs.vllm.x"\nkind = "bool"', True, "++r.engine_kwargs.vllm.x=True"),
        ('where = "vllm"\nname = "dtype"\nkind = "str"', "auto", "dtype='auto'"),
        ('where = "container"\nname = "--ulimit memlock"\nkind = "int"', -1, "docker run --ulimit memlock=-1 ..."),
        ('where = "host"\nname = "iommu=pt"\nkind = "str"', "iommu=pt", "iommu=pt"),
        ('where = "sglang"\nname = "x"\nkind = "str"', "y", ""),
    ],
)
def test_the_line_to_type(tmp_path: Path, fields: str, value: bool | int | str, line: str) -> None:
    text = base.SETTING.replace('name = "VLLM_CHUNK"\nwhere = "env"', fields).replace(
        'kind = "int"\nunit = "MiB"\n', "", 1
    )
    folder = base.write(tmp_path, settings=text.replace('versions = {vllm = ">=0.2"}\n', ""), issues="")
    contract = folder / "verl" / "0.9.1.json"
    contract.write_text(contract.read_text().replace('"keys": {', '"keys": {"trainer.extra": {"add": true}, '))
    facts = read(folder)
    assert words.typed(facts, facts.settings["chunk-size"], value) == line


def test_a_sound_guide_has_no_warning(guide: FactsGuide) -> None:
    assert guide.build() == []
    assert guide.status == 0


def test_a_setting_says_all_that_is_known_of_it(guide: FactsGuide) -> None:
    guide.build()
    text = guide.text("docs/settings")
    for phrase in (
        "VLLM_CHUNK",
        "environment variable, read by vllm",
        "int, in MiB",
        "256 , set by vllm",
        "vLLM 0.2 and later",
        "512 , for large models: Fewer calls. Type export VLLM_CHUNK=512 .",
        "Confirmed: it was read at the source. Checked 2026-11-01, kept in verl_rocm/facts/settings/sleep.toml .",
        "vllm-project/vllm pull request 12695 , merged, read 2026-11-01",
        "docs.vllm.ai/en/latest , read 2026-11-01",
    ):
        assert phrase in text
    assert '<section class="fact-entry" id="chunk-size">' in guide.html("docs/settings")
    assert 'href="https://github.com/vllm-project/vllm/pull/12695"' in guide.html("docs/settings")
    assert 'href="issues.html#full"' in guide.html("docs/settings")


def test_an_issue_says_all_that_is_known_of_it(guide: FactsGuide) -> None:
    guide.build()
    text = guide.text("docs/issues")
    for phrase in (
        "VRAM stays full",
        "HIP out of memory",
        "The address stays reserved.",
        "Compare free memory before and after.",
        "Larger chunks. export VLLM_CHUNK=512",
        "vLLM 0.2 and later, before 0.3; on gfx942",
        "vLLM 0.3 and later",
        "Reported: a thread says so, and this guide has not seen it.",
        "vllm-project/vllm issue 1 , read 2026-11-01",
    ):
        assert phrase in text
    assert 'href="settings.html#chunk-size"' in guide.html("docs/issues")


def test_a_conflict_shows_both_sides_and_what_decides(guide: FactsGuide) -> None:
    thread = '{type = "issue", repo = "a/b", number = %d, read = 2026-11-01}'
    sides = f'{{value = 1, who = "A", evidence = [{thread % 7}]}}, {{value = 2, who = "B", evidence = [{thread % 8}]}}'
    conflict = f'conflict = {{positions = [{sides}], decides = "The card."}}\n'
    guide.edit(SLEEP, 'see = ["full"]\n', f'see = ["full"]\n{conflict}')
    assert guide.build() == []
    text = re.search(r"Sources disagree.*?Confidence", guide.text("docs/settings"))
    assert text is not None
    assert "1 , says A a/b issue 7 , read 2026-11-01 2 , says B a/b issue 8" in text[0]
    assert "What decides: The card." in text[0]


def test_evidence_links_to_the_line_of_the_release(guide: FactsGuide) -> None:
    proof = '{type = "release", project = "%s", release = "%s", file = "%s", line = 9, text = "x", read = 2026-11-01}'
    lines = [
        proof % ("ray", "2.60.0", "ray/a.py"),
        proof % ("verl", "0.9.1", "verl/b.py"),
        proof % ("verl", "0.9.1", "verl-0.9.1.dist-info/METADATA"),
        '{type = "source", repo = "a/b", commit = "c0ffee1", file = "d.md", line = 3, read = 2026-11-01}',
    ]
    guide.edit("verl_rocm/facts/gpus.toml", "evidence = [", f"evidence = [{', '.join(lines)}, ")
    assert guide.build() == []
    links = re.findall(r'href="https://github.com/([^"]+)"', guide.html("docs/gpus"))
    assert links == [
        "ray-project/ray/blob/ray-2.60.0/python/ray/a.py#L9",
        "verl-project/verl/blob/v0.9.1/verl/b.py#L9",
        "a/b/blob/c0ffee1/d.md#L3",
    ]


def test_a_number_in_the_text_links_to_its_thread_alone(guide: FactsGuide) -> None:
    guide.edit(KNOWN, "The address stays reserved.", "As in #1 and #2, see `enforce_eager` and `other`.")
    guide.build()
    html = guide.html("docs/issues")
    assert '<a class="reference external" href="https://github.com/vllm-project/vllm/issues/1">#1</a> and #2' in html
    assert '<a class="reference internal" href="settings.html#eager">' in html
    assert '<span class="pre">other</span>' in html


def test_names_of_releases_as_ranges(guide: FactsGuide) -> None:
    guide.contract("vllm", "0.3.0", env={"VLLM_CHUNK": {"by": ["c++"], "default": "512"}})
    guide.build()
    assert "VLLM_CHUNK 0.2.0 and later. Default: 256 from 0.2.0; 512 from 0.3.0" in guide.text("docs/versions")


def test_a_variable_that_a_wheel_lacks_is_not_called_missing(guide: FactsGuide) -> None:
    guide.contract("vllm", "0.3.0", env={}, whole=False)
    guide.build()
    assert "VLLM_CHUNK 0.2.0 and later. Default: 256" in guide.text("docs/versions")


def test_one_value_over_all_releases(guide: FactsGuide) -> None:
    guide.contract("vllm", "0.1.0", rocm={"archs": ["gfx942"], "sleep_mode": False})
    guide.contract("vllm", "0.3.0", rocm={"archs": ["gfx942"], "sleep_mode": True})
    options = "   :project: vllm\n   :section: rocm\n   :name: sleep_mode\n   :yes: accepted\n   :no: refused\n"
    guide.write("docs/sleep.rst", f"Sleep\n=====\n\n.. release-values::\n{options}")
    assert guide.build() == []
    assert "0.1.0 only refused 0.2.0 only not there 0.3.0 and later accepted" in guide.text("docs/sleep")


def test_what_came_and_went(guide: FactsGuide) -> None:
    guide.contract("vllm", "0.2.0", engine_args={"a": {}, "enforce_eager": {"default": False}})
    options = "   :project: vllm\n   :section: engine_args\n"
    guide.write("docs/sleep.rst", f"Sleep\n=====\n\n.. release-changes::\n{options}")
    assert guide.build() == []
    assert "0.3.0 : Gone: a 0.2.0 : New: a" in guide.text("docs/sleep")


@pytest.mark.parametrize("parallel", [0, 2])
def test_roles_link_by_name_and_by_id(guide: FactsGuide, parallel: int) -> None:
    guide.write("docs/a.rst", "A\n=\n\n:setting:`VLLM_CHUNK`, :setting:`eager`, :issue:`full`, :issue:`so <full>`.\n")
    assert guide.build(parallel=parallel) == []
    assert "VLLM_CHUNK , enforce_eager , VRAM stays full , so ." in guide.text("docs/a")
    links = re.findall(r'href="(\w+\.html#[\w-]+)"', guide.html("docs/a"))
    assert [link for link in links if "#full" in link or "#eager" in link or "#chunk" in link] == [
        "settings.html#chunk-size",
        "settings.html#eager",
        "issues.html#full",
        "issues.html#full",
    ]


def page(text: str) -> Callable[[FactsGuide], None]:
    return lambda guide: guide.write("docs/other.rst", f"Other\n=====\n\n{text}\n")


CASES: dict[str, tuple[Callable[[FactsGuide], None], list[str]]] = {
    "unknown setting": (page(":setting:`VLLM_GPU_LANG`"), ["ref.setting"]),
    "unknown issue": (page(":issue:`fulll`"), ["ref.issue"]),
    "no such goal": (page(".. settings::\n   :goal: slep"), ["facts.empty"]),
    "no such symptom": (page(".. known-issues::\n   :group: vram"), ["facts.empty"]),
    "no such section": (page(".. release-names::\n   :project: vllm\n   :section: x"), ["facts.empty"]),
    "no such value": (page(".. release-values::\n   :project: vllm\n   :section: rocm\n   :name: x"), ["facts.empty"]),
    "setting twice": (page(".. settings::\n   :where: env"), ["facts.twice"]),
    "issue twice": (page(".. known-issues::\n   :goal: sleep"), ["facts.twice"]),
    "settings on no page": (
        lambda guide: guide.write("docs/settings.rst", "Settings\n========\n\n.. settings::\n   :where: vllm\n"),
        ["facts.not_shown", "ref.setting", "ref.setting"],  # the issue and the release table link to it
    ),
    "unknown field": (lambda guide: guide.edit(SLEEP, "kind =", "sort ="), ["facts.load"]),
    "no TOML": (lambda guide: guide.edit(KNOWN, "[[issue]]", "[[issue]"), ["facts.load"]),
    "contradiction": (lambda guide: guide.edit(KNOWN, "[[issue]]", base.OTHER + "[[issue]]"), ["facts.load"]),
    "no JSON": (lambda guide: guide.write("verl_rocm/facts/vllm/0.2.0.json", "{"), ["facts.load"]),
}


@pytest.mark.parametrize(
    ("case", "parallel"),
    [*((case, 0) for case in CASES), *((case, 2) for case in CASES if "twice" in case or case[:2] == "no")],
)
def test_a_fault_fails_every_build_with_its_own_type(guide: FactsGuide, case: str, parallel: int) -> None:
    break_it, expected = CASES[case]
    break_it(guide)
    assert guide.build(parallel=parallel) == expected, guide.lines
    assert guide.status == 1
    assert not any("Traceback" in line for line in guide.lines)
    if expected[0].startswith("facts"):
        assert [kind for kind in guide.build(parallel=parallel) if kind.startswith("facts")] == expected[:1]


def test_facts_that_do_not_load_are_named_once_and_come_back(guide: FactsGuide) -> None:
    guide.write("docs/a.rst", "A\n=\n\n:setting:`VLLM_CHUNK` and :issue:`full`\n")
    guide.edit(SLEEP, "kind =", "sort =")
    assert guide.build() == ["facts.load"]
    assert any("verl_rocm/facts/settings/sleep.toml: setting 'chunk-size'" in line for line in guide.lines)
    assert "VLLM_CHUNK and full" in guide.text("docs/a")
    guide.edit(SLEEP, "sort =", "kind =")
    assert guide.build() == []
    assert "256 , set by vllm" in guide.text("docs/settings")
    assert 'href="settings.html#chunk-size"' in guide.html("docs/a")


def new_goal(guide: FactsGuide) -> None:
    text = base.SETTING.split("[[setting]]")[2].replace('id = "eager"', 'id = "new"').replace("enforce_eager", "dtype")
    guide.write("verl_rocm/facts/settings/graphs.toml", f"[[setting]]{text}")


# A page is read again if and only if it would show something else: title of an issue, name of a setting, a default.
EDITS: dict[str, tuple[Callable[[FactsGuide], None], list[str]]] = {
    "nothing": (lambda guide: None, []),
    "a comment": (lambda guide: guide.edit(SLEEP, "[[setting]]", "# said better\n[[setting]]"), []),
    "text of a setting": (lambda guide: guide.edit(SLEEP, "Fewer calls.", "Faster."), ["docs/settings"]),
    "a new file": (new_goal, ["docs/settings"]),
    "text of an issue": (lambda guide: guide.edit(KNOWN, "stays reserved", "stays"), ["docs/issues"]),
    "title of an issue": (
        lambda guide: guide.edit(KNOWN, "VRAM stays full", "VRAM is full"),
        ["docs/issues", "docs/role", "docs/settings"],
    ),
    "a GPU": (lambda guide: guide.edit("verl_rocm/facts/gpus.toml", "= 192", "= 191"), ["docs/gpus"]),
    "a contract": (
        lambda guide: guide.contract("vllm", "0.3.0", env={"VLLM_CHUNK": {"default": "512"}}),
        ["docs/versions"],
    ),
    "what no page shows of a contract": (lambda guide: guide.contract("vllm", "0.3.0", graphs={}), []),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_edit_reads_exactly_its_pages_again(guide: FactsGuide, case: str) -> None:
    guide.write("docs/role.rst", "A\n=\n\n:issue:`full`\n")
    guide.write("docs/none.rst", "B\n=\n\nNo fact.\n")
    guide.build()
    edit, expected = EDITS[case]
    edit(guide)
    assert guide.build() == []
    assert sorted(guide.read) == expected


def test_a_brief_list_links_to_the_entries(guide: FactsGuide) -> None:
    guide.write("docs/a.rst", "A\n=\n\n.. settings::\n   :goal: sleep\n   :brief:\n\n.. known-issues::\n   :brief:\n")
    assert guide.build() == []
    assert "enforce_eager (vLLM argument): No graphs." in guide.text("docs/a")
    assert "VRAM stays full (vLLM 0.2 and later, before 0.3; on gfx942)" in guide.text("docs/a")
    assert 'href="settings.html#eager"' in guide.html("docs/a")
