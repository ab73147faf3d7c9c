"""The memory of whole jobs on a named GPU, all resolved in one child process."""

from __future__ import annotations

import json
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest

from tests.verl_rocm.engine.jobs import BASE, KWARGS, Answer, R, model, request, resolved
from verl_rocm.dryrun.report import RefusedJob, Report
from verl_rocm.memory.rollout import GIB, Weighed

TP = f"{R}.tensor_model_parallel_size"
JOBS: dict[str, list[str]] = {
    "plain": [*BASE, f"{TP}=1"],
    "more": [*BASE, f"{TP}=1", f"{R}.gpu_memory_utilization=0.6"],
    "two ranks": [*BASE, f"{TP}=2"],
    "MLA": [*BASE, model("deepseek-ai/DeepSeek-V3"), f"{TP}=8"],
    "hybrid": [*BASE, model("Qwen/Qwen3-Next-80B-A3B-Instruct"), f"{TP}=2"],
    "VLM": [*BASE, model("Qwen/Qwen2.5-VL-7B-Instruct"), f"{TP}=1"],
    "too large": [*BASE, model("Qwen/Qwen2.5-72B-Instruct"), f"{TP}=1"],
    "given cache": [*BASE, f"{TP}=1", f"{KWARGS}.kv_cache_memory_bytes={2**33}"],
    "no share": [*BASE, f"{R}.gpu_memory_utilization=0"],
    "more than all": [*BASE, f"{R}.gpu_memory_utilization=1.5"],
    "ranks do not divide": [*BASE, f"{TP}=8"],
}


@lru_cache(maxsize=1)
def answers() -> dict[str, Answer]:
    """The answers, and one for an architecture that nobody knows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unknown = folder / "unknown"
        unknown.mkdir()
        config = {"model_type": "qwen2", "architectures": ["NoSuchModel"], "num_hidden_layers": 2}
        (unknown / "config.json").write_text(json.dumps(config))
        jobs = JOBS | {"unknown architecture": [*BASE, f"{TP}=1", model(str(unknown))]}
        reports = resolved([request("MI300X", overrides, folder) for overrides in jobs.values()])
    return dict(zip(jobs, reports, strict=True))


def weighed(name: str) -> Weighed:
    report = answers()[name]
    assert isinstance(report, Report), report
    assert isinstance(report.resolution.memory, Weighed), report.resolution.memory
    return report.resolution.memory


def test_weights_of_a_rank() -> None:
    assert round(weighed("plain").weights.total / GIB, 3) == 14.193
    assert round(weighed("two ranks").weights.total / GIB, 3) == 7.101


def test_compute_units_streams_and_processors_do_not_stop_it() -> None:
    assert {group.kind for group in weighed("MLA").groups} == {"MLAAttention"}
    assert {group.kind for group in weighed("hybrid").groups} == {"Mamba", "FullAttention"}
    assert weighed("VLM").weights.total > weighed("plain").weights.total


def test_a_larger_share_holds_more() -> None:
    for one, other in zip(weighed("plain").holdings, weighed("more").holdings, strict=True):
        assert one.tokens < other.tokens and one.blocks < other.blocks


def test_a_given_cache_is_taken_as_it_is() -> None:
    assert {holding.budget for holding in weighed("given cache").holdings} == {2**33}


def test_weights_that_do_not_fit_are_a_finding_with_ranks_to_paste() -> None:
    report = answers()["too large"]
    assert isinstance(report, Report)
    (finding,) = [item for item in report.findings if item.id == "weights-do-not-fit"]
    assert f"{TP}=2" in [line for way in finding.remedies for line in way.lines]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("no share", "gpu_memory_utilization"),
        ("more than all", "gpu_memory_utilization"),
        ("ranks do not divide", "attention heads"),
        ("unknown architecture", "NoSuchModel"),
    ],
)
def test_bad_input_is_one_line(name: str, part: str) -> None:
    report = answers()[name]
    assert isinstance(report, RefusedJob), report
    (problem,) = report.problems
    assert part in problem.line() and "\n" not in problem.line()
