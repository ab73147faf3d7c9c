"""Whole machines: exactly the findings that each file expects."""

import json
from pathlib import Path

import pytest

from tests.verl_rocm.check.descriptions import FILES
from verl_rocm.check import rules
from verl_rocm.check.machine import Machine
from verl_rocm.check.situation import Situation
from verl_rocm.facts.load import load

FACTS = load()
CONTRACTS = {f"{project}/{v}.json" for project, known in FACTS.releases.items() for v in known}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_exactly_the_expected_findings(file: Path) -> None:
    data = json.loads(file.read_text())
    assert file.name.startswith("made_")
    assert data["about"].startswith("Made for the tests")
    findings = rules.findings(Situation(Machine.model_validate(data["machine"]), FACTS))
    by_level = {level: [f.id for f in findings if f.level == level] for level in ("finding", "note")}
    assert by_level == {"finding": data["expected"]["findings"], "note": data["expected"]["notes"]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_finding_names_an_entry_and_says_all_of_it(file: Path) -> None:
    machine = Machine.model_validate(json.loads(file.read_text())["machine"])
    for finding in rules.findings(Situation(machine, FACTS)):
        assert finding.id in {*FACTS.settings, *FACTS.issues, *CONTRACTS, "rocm"}
        assert all([finding.title, finding.seen, finding.why, finding.confidence])
        assert "\n" not in finding.model_dump_json()
        assert finding.level == "note" or any(way.text or way.lines for way in finding.remedies)


def test_the_words_are_those_of_the_facts() -> None:
    data = json.loads(next(f for f in FILES if f.stem == "made_mi300x_rocm_7_2").read_text())
    by_id = {f.id: f for f in rules.findings(Situation(Machine.model_validate(data["machine"]), FACTS))}
    leak = by_id["ipc-memory-leak-rocm-7-2"]
    issue = FACTS.issues[leak.id]
    assert (leak.title, leak.why, leak.confidence) == (issue.title, issue.cause, issue.confidence)
    assert leak.seen == "ROCm 7.2.0, gfx942"
    assert leak.remedies[0].lines[0] == "export HSA_ENABLE_IPC_MODE_LEGACY=1"
    assert by_id["kv-cache-sized-without-graphs"].remedies[-1].lines[0] == (
        "'actor_rollout_ref.rollout.cudagraph_capture_sizes=[1,2,4,8,16,32,64,128,256]'"
    )
    assert by_id["sleep-leaves-vram-full"].remedies[0].sentence() == "Use a vLLM release with the fix (vLLM >=0.25.0)."
