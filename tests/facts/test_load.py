# ruff: noqa: E501  one planted fault a line reads best
"""A sound base loads; every kind of fault stops it with one line that names file, entry and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.facts.base import GPU, ISSUE, OTHER, SETTING, write
from verl_rocm.facts.agree import disagreements
from verl_rocm.facts.base import FactsError
from verl_rocm.facts.checks import known_archs
from verl_rocm.facts.load import load, read


def test_a_sound_base_loads(tmp_path: Path) -> None:
    facts = load(write(tmp_path, issues=f"{ISSUE}\n{OTHER.replace('= 128', '= 512')}"))
    assert facts.releases == {"vllm": ("0.1.0", "0.2.0", "0.3.0"), "verl": ("0.9.1",)}
    assert facts.goal == {"chunk-size": "sleep", "eager": "sleep", "full": "sleep", "crash": "sleep"}
    setting = facts.setting("VLLM_CHUNK")
    assert setting is facts.settings["chunk-size"]
    assert facts.setting("VLLM_NONE") is None
    assert known_archs(facts) == {"gfx942", "gfx950"}
    assert list(disagreements(facts, tmp_path)) == []


IN_SETTING = "verl_rocm/facts/settings/sleep.toml: setting 'chunk-size': "
IN_ISSUE = "verl_rocm/facts/known_issues/sleep.toml: issue 'full': "
IN_GPU = "verl_rocm/facts/gpus.toml: gpu 'MI300X': "


@pytest.mark.parametrize(
    ("part", "old", "new", "says"),
    [
        (
            "settings",
            '{type = "pr", repo = "vllm-project/vllm", number = 12695, state = "merged", read = 2026-11-01}',
            "",
            IN_SETTING + "field 'evidence' needs at least 1; add what is missing",
        ),
        (
            "settings",
            'unit = "MiB"',
            'units = "MiB"',
            IN_SETTING + "unknown field 'units'; take it out or spell it as in verl_rocm/facts/README.md",
        ),
        ("settings", 'what = "Size of a chunk."\n', "", IN_SETTING + "field 'what' is missing; add it"),
        (
            "settings",
            'type = "pr"',
            'type = "hearsay"',
            IN_SETTING + "field 'evidence.0' has no known type; use one of",
        ),
        ("settings", "number = 12695", "number = 12695, page = 2", IN_SETTING + "unknown field 'evidence.0.page'"),
        ("settings", 'where = "env"', 'where = "shell"', IN_SETTING + "field 'where' is 'shell'"),
        (
            "settings",
            '"VLLM_CHUNK"',
            '"VLLM_CHUNK=1"',
            IN_SETTING + "'VLLM_CHUNK=1' cannot be typed where='env'; write the bare name",
        ),
        ("settings", 'kind = "int"', 'kind = "enum"', IN_SETTING + "kind 'enum' needs choices"),
        (
            "settings",
            'merged", read = 2026-11-01',
            'merged", read = 2999-01-01',
            IN_SETTING + "evidence.0.read: 2999-01-01 lies in the future",
        ),
        (
            "settings",
            ">=0.2",
            ">=2,<1",
            IN_SETTING + "versions.vllm: no version can satisfy '>=2,<1'; correct the bounds",
        ),
        ("settings", ">=0.2", "", IN_SETTING + "versions.vllm: the version range is empty text"),
        ("settings", ">=0.2", "since 0.2", IN_SETTING + "versions.vllm: 'since 0.2' is no version range"),
        ("settings", ">=0.2", ">=0.4", IN_SETTING + "versions: no known vllm release lies in '>=0.4'"),
        (
            "settings",
            'vllm = ">=0.2"',
            'vllm = ">=0.2", archs = ["gfx1"]',
            IN_SETTING + "versions: arch 'gfx1' is in gpus.toml no more",
        ),
        (
            "settings",
            '["full"]',
            '["fulll"]',
            "verl_rocm/facts/settings/sleep.toml: 'chunk-size': see names 'fulll', which is no entry",
        ),
        (
            "settings",
            'id = "eager"',
            'id = "chunk-size"',
            IN_SETTING + "id is taken in verl_rocm/facts/settings/sleep.toml; choose another",
        ),
        (
            "settings",
            'enforce_eager"\nwhere = "vllm"',
            'VLLM_CHUNK"\nwhere = "env"',
            "verl_rocm/facts/settings/sleep.toml: setting 'eager': VLLM_CHUNK is setting 'chunk-size' already; merge the two",
        ),
        (
            "settings",
            'set_by = "vllm"}]\nadvice',
            'set_by = "vllm"}, {value = 1, set_by = "vllm"}]\nadvice',
            IN_SETTING + "defaults 256 and 1 of vllm hold on the same versions; limit them",
        ),
        (
            "settings",
            "advice = [",
            'advice = [{value = 1, for_whom = "large models", why = "No."}, ',
            IN_SETTING + "advices 1 and 512 for 'large models' hold on the same versions",
        ),
        (
            "settings",
            "checked = 2026-11-01\nsee",
            'conflict = {positions = [{value = 1, who = "A", evidence = []}], decides = "x"}\nchecked = 2026-11-01\nsee',
            IN_SETTING + "field 'conflict.positions",
        ),
        (
            "settings",
            "[[setting]]",
            "[[settings]]",
            "verl_rocm/facts/settings/sleep.toml: unknown table settings; this file holds only [[setting]]",
        ),
        ("settings", 'id = "chunk-size"', "id = ", "verl_rocm/facts/settings/sleep.toml: no valid TOML: "),
        ("issues", "symptoms = [", "errors = [", IN_ISSUE + "unknown field 'errors'"),
        (
            "issues",
            'id = "full"',
            'id = "eager"',
            "verl_rocm/facts/known_issues/sleep.toml: issue 'eager': id is taken in verl_rocm/facts/settings/sleep.toml",
        ),
        (
            "issues",
            'id = "full"\n',
            "",
            "verl_rocm/facts/known_issues/sleep.toml: issue 'number 1': field 'id' is missing; add it",
        ),
        (
            "issues",
            'evidence = [{type = "issue", repo = "vllm-project/vllm", number = 1, read = 2026-11-01}]',
            "evidence = []",
            IN_ISSUE + "field 'evidence' needs at least 1",
        ),
        (
            "issues",
            "{sleep = true}",
            "{asleep = true}",
            IN_ISSUE + "unknown field 'applies_when.asleep'; take it out or spell it as in verl_rocm/facts/README.md",
        ),
        (
            "issues",
            "{sleep = true}",
            '{settings = {max_num_seqs = ">many"}}',
            IN_ISSUE + "applies_when.settings.max_num_seqs.",
        ),
        (
            "issues",
            "{sleep = true}",
            "{any_of = [{sleep = true}]}",
            IN_ISSUE + "applies_when: any_of needs two or more parts, none of them empty; add",
        ),
        (
            "issues",
            "{VLLM_CHUNK = 512}",
            "{VLLM_CHUNKS = 512}",
            IN_ISSUE + "fix sets 'VLLM_CHUNKS', which is no setting",
        ),
        (
            "issues",
            'fixed_in = [{vllm = ">=0.3"}]',
            'fixed_in = [{vllm = ">=0.2"}]',
            IN_ISSUE + "versions and fixed_in overlap in vllm (>=0.2,<0.3 and >=0.2)",
        ),
        ("issues", 'fixed_in = [{vllm = ">=0.3"}]', "fixed_in = [{}]", IN_ISSUE + "fixed_in names no version"),
        ("issues", ">=0.2,<0.3", ">=0.2.1,<0.3", IN_ISSUE + "versions: no known vllm release lies in '>=0.2.1,<0.3'"),
        (
            "issues",
            "confidence =",
            'conflicts_with = [{id = "nobody", decides = "x"}]\nconfidence =',
            IN_ISSUE + "conflicts_with names 'nobody', which is no issue",
        ),
        ("gpus", "memory_gib = 192", "memory = 192", IN_GPU + "field 'memory_gib' is missing"),
        ("gpus", 'fp8 = "e4m3fnuz"', 'fp8 = "e4m3"', IN_GPU + "field 'fp8' is 'e4m3'"),
        ("gpus", 'fp8 = "e4m3fnuz"', 'fp8 = "none"', IN_GPU + "fp8 is 'none' and matrix_tflops.fp8 2614.9"),
        ("gpus", "bandwidth_tbs = 5.3\n", "", IN_GPU + "field 'bandwidth_tbs' is missing; add it"),
        ("gpus", "link_gbs = 64.0", "link_gbs = -1", IN_GPU + "field 'link_gbs' is -1: input should be greater than 0"),
        ("gpus", "bf16 = 1307.4, ", "", IN_GPU + "field 'matrix_tflops.bf16' is missing; add it"),
        ("gpus", 'unknown = "no source"', 'unknown = ""', IN_GPU + "field 'links.unknown' is ''"),
    ],
)
def test_a_planted_fault_stops_the_load(tmp_path: Path, part: str, old: str, new: str, says: str) -> None:
    text = {"settings": SETTING, "issues": ISSUE, "gpus": GPU}[part]
    assert old in text
    with pytest.raises(FactsError) as caught:
        load(write(tmp_path, **{part: text.replace(old, new, 1)}))
    line = str(caught.value)
    assert line.startswith(says)
    assert "\n" not in line
    assert ";" in line  # what to do


CONTRADICTION = (
    "verl_rocm/facts/known_issues/sleep.toml: issue 'crash': sets VLLM_CHUNK to 128, but 'full' (verl_rocm/facts/known_issues/sleep.toml) "
    "sets it to 512 on the same versions; limit the versions, or add conflicts_with = [{id = 'full', decides = ...}]"
)


@pytest.mark.parametrize(
    ("change", "loads"),
    [
        (("", ""), False),
        ((">=0.2,<0.3", ">=0.1,<0.2"), True),
        (('["gfx942"]', '["gfx950"]'), True),
        (("confidence =", 'conflicts_with = [{id = "full", decides = "size of the model"}]\nconfidence ='), True),
    ],
    ids=["same versions and archs", "other versions", "other archs", "said what decides"],
)
def test_issues_that_contradict_each_other(tmp_path: Path, change: tuple[str, str], loads: bool) -> None:
    folder = write(tmp_path, issues=f"{ISSUE}\n{OTHER.replace(*change, 1).replace('>=0.3', '>=0.4')}")
    if loads:
        assert set(load(folder).issues) == {"full", "crash"}
        return
    with pytest.raises(FactsError) as caught:
        load(folder)
    assert str(caught.value) == CONTRADICTION


def test_a_file_must_be_named_for_a_goal(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "settings" / "sleep.toml").rename(folder / "settings" / "slumber.toml")
    with pytest.raises(
        FactsError,
        match=r"^verl_rocm/facts/settings/slumber.toml: no goal has this name; rename the file to one of sleep, ",
    ):
        load(folder)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'versions = {vllm = ">=0.2"}\n',
            "",
            "vllm 0.1.0 has no VLLM_CHUNK; it is in 0.2.0 to 0.3.0, correct versions.vllm",
        ),
        (
            '"VLLM_CHUNK"',
            '"VLLM_CHUNKS"',
            "vllm 0.2.0, 0.3.0 has no VLLM_CHUNKS; no stored release has it, correct versions.vllm",
        ),
        (
            "{value = 256",
            "{value = 255",
            "default 255 of vllm: vllm 0.2.0 has '256' and 1 more releases differ; correct it",
        ),
        (
            '"vllm"\nwhat = "No graphs."\nkind = "bool"\ndefault = [{value = false',
            '"vllm"\nwhat = "No graphs."\nkind = "bool"\ndefault = [{value = true',
            "default True of vllm: vllm 0.1.0 has False and 2 more releases differ; correct it or limit its versions",
        ),
    ],
)
def test_a_setting_that_disagrees_with_the_contracts(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in SETTING
    facts = read(write(tmp_path, settings=SETTING.replace(old, new, 1)))
    faults = list(disagreements(facts, tmp_path))
    assert len(faults) == 1
    assert says in faults[0]
