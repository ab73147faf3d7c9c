"""Whole machines: exactly the findings that each file expects."""

import json
from pathlib import Path

import pytest

from tests.verl_rocm.check.made import FILES
from verl_rocm.check.machine import Machine
from verl_rocm.check.rules import judge
from verl_rocm.check.situation import Situation
from verl_rocm.facts.load import load

FACTS = load()
CONTRACTS = {f"{project}/{v}.json" for project, known in FACTS.releases.items() for v in known}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_exactly_the_expected_findings(file: Path) -> None:
    data = json.loads(file.read_text())
    assert file.name.startswith("made_")
    assert data["about"].startswith("Made for the tests")
    found = judge(Situation(Machine.model_validate(data["machine"]), FACTS))
    by_level = {level: [f.id for f in found if f.level == level] for level in ("finding", "note")}
    assert by_level == {"finding": data["expected"]["findings"], "note": data["expected"]["notes"]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_finding_names_an_entry_and_says_all_of_it(file: Path) -> None:
    machine = Machine.model_validate(json.loads(file.read_text())["machine"])
    for finding in judge(Situation(machine, FACTS)):
        assert finding.id in {*FACTS.knobs, *FACTS.issues, *CONTRACTS, "rocm"}
        assert all([finding.title, finding.found, finding.why, finding.confidence])
        assert "\n" not in finding.model_dump_json()
        assert finding.level == "note" or any(way.text or way.line for way in finding.do)


def test_the_words_are_those_of_the_facts() -> None:
    data = json.loads(next(f for f in FILES if f.stem == "made_mi300x_rocm_7_2").read_text())
    found = {f.id: f for f in judge(Situation(Machine.model_validate(data["machine"]), FACTS))}
    leak = found["ipc-memory-leak-rocm-7-2"]
    issue = FACTS.issues[leak.id]
    assert (leak.title, leak.why, leak.confidence) == (issue.title, issue.cause, issue.confidence)
    assert leak.found == "ROCm 7.2.0, gfx942"
    assert leak.do[0].line == "export HSA_ENABLE_IPC_MODE_LEGACY=1"
    assert found["kv-cache-sized-without-graphs"].do[-1].line == (
        "'actor_rollout_ref.rollout.cudagraph_capture_sizes=[1,2,4,8,16,32,64,128,256]'"
    )
    assert found["sleep-leaves-vram-full"].do[0].text == "Use a vLLM release with the fix (vllm >=0.25.0)."
