"""Findings and rows of the rollout's memory, on weighed samples."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verl_rocm.dryrun import samples
from tests.verl_rocm.memory.samples import weighed
from verl_rocm.dryrun import formats, memory
from verl_rocm.dryrun.report import DryRun
from verl_rocm.facts.load import load
from verl_rocm.finding import Finding
from verl_rocm.memory.rollout import Unweighed
from verl_rocm.paste import ROLLOUT

BATCH = {"data.train_batch_size": 1024, f"{ROLLOUT}.n": 8}


def findings(**changes: Any) -> list[Finding]:
    job = samples.resolution(config=BATCH).model_copy(update={"memory": weighed(**changes)})
    return list(memory.find(load(), job))


def lines(finding: Finding) -> list[str]:
    return [line for way in finding.remedies for line in way.lines]


def test_room_for_every_sequence_is_no_finding() -> None:
    assert findings() == []  # 74 GiB hold 1184 sequences, and the engine runs 256


def test_weights_that_do_not_fit() -> None:
    (finding,) = findings(weights=100)
    assert finding.id == "weights-do-not-fit" and finding.level == "finding"
    assert "100.0 GiB" in finding.title and "96.0 GiB" in finding.title
    assert lines(finding) == [
        f"{ROLLOUT}.gpu_memory_utilization=0.57",
        f"{ROLLOUT}.tensor_model_parallel_size=4",
    ]


def test_a_cache_that_is_too_small_for_the_models_length() -> None:
    nothing = tuple(
        each.model_copy(update={"blocks": 0, "tokens": 0, "longest": 0.0, "half_response": 0.0})
        for each in weighed(weights=86).holdings
    )
    (finding,) = findings(weights=86, needed=32 * 2**30, holdings=nothing)
    assert finding.id == "kv-cache-too-small"
    assert lines(finding)[0] == f"{ROLLOUT}.max_model_len=1024"


def test_fewer_sequences_than_run_at_once() -> None:
    (finding,) = findings(weights=86)  # 2 to 6 GiB hold 32 to 96 long sequences, and fewer than 256 half ones
    assert finding.id == "kv-cache-preempts" and finding.level == "finding"
    assert "32 to 96" in finding.title and "256" in finding.title
    assert lines(finding)[-1] == f"{ROLLOUT}.max_num_seqs=32"
    assert "training" in finding.remedies[0].text


@pytest.mark.parametrize("weights", [74, 80])  # 224 to 288 long sequences, and 128 to 192
def test_where_only_many_long_answers_overflow_it_is_a_note(weights: int) -> None:
    (finding,) = findings(weights=weights)
    assert finding.level == "note" and "if all grow that long" in finding.title


def test_rows_show_ranges_and_never_claim_a_measurement() -> None:
    rows = dict(memory.rows(samples.resolution(config=BATCH).model_copy(update={"memory": weighed()})))
    assert list(rows) == ["share", "weights", "profiling", "KV cache", "sequences"]
    assert rows["profiling"].startswith("4.0 to 8.0 GiB, an estimate")
    assert "1,184 to 1,248 of 1024 tokens" in rows["sequences"]
    assert not any("measured" in text for text in rows.values())


def test_an_engine_that_was_not_weighed_is_one_line_and_no_finding() -> None:
    job = samples.resolution().model_copy(update={"memory": Unweighed(reason="ValueError: no such layer")})
    assert memory.rows(job) == [("not weighed", "ValueError: no such layer")]
    assert list(memory.find(load(), job)) == []


def test_markdown_and_json_carry_it() -> None:
    report = samples.report()
    job = report.resolution.model_copy(update={"memory": weighed()})
    run = DryRun(versions=samples.VERSIONS, reports=(report.model_copy(update={"resolution": job}),))
    assert "- KV cache: 74.0 to 78.0 GiB" in formats.markdown(run)
    assert DryRun.model_validate_json(run.model_dump_json()) == run
