"""How an environment variable reaches vLLM: the page's table, and a real job that gives it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from guide.records.ray import load_variables
from tests.ray import environment
from tests.ray.environment import WAYS, WHERE

RECORD = load_variables(environment.RECORD)
ON_A_CLUSTER = {way.name: way for way in RECORD.ways if not way.starts_ray}
BY_THE_JOB = {way.name: way for way in RECORD.ways if way.starts_ray}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VLLM_ROCM_USE_AITER", "1"),  # an override reaches all
        ("VLLM_ROCM_USE_AITER_MOE", "1"),  # so does the node's shell
        ("VLLM_ROCM_USE_AITER_MLA", None),  # the job's shell does not
        ("VLLM_ROCM_USE_AITER_MHA", "1"),  # the override wins over the node
        ("HSA_NO_SCRATCH_RECLAIM", "1"),  # verl's own list
        ("VLLM_DISABLE_COMPILE_CACHE", "0"),  # the override wins over verl
        ("VLLM_LOGGING_LEVEL", "WARN"),  # verl's list wins over the node
        ("NCCL_DEBUG", None),  # the job's shell takes it out of verl's list, and nobody puts it back
        ("TOKENIZERS_PARALLELISM", "false"),  # both shells: the node's value
    ],
)
def test_the_record_says_what_the_page_says(name: str, value: str | None) -> None:
    assert ON_A_CLUSTER[name].seen == dict.fromkeys(WHERE, value)


def test_a_job_that_starts_ray_has_its_own_shell() -> None:
    assert BY_THE_JOB["VLLM_ROCM_USE_AITER"].seen == dict.fromkeys(WHERE, "1")
    assert BY_THE_JOB["VLLM_LOGGING_LEVEL"].seen == dict.fromkeys(WHERE, "INFO")


def test_the_table_is_made_from_the_record() -> None:
    assert environment.TABLE.read_text() == environment.table(RECORD), "run make record-ray"


def test_a_job_today_gives_the_record(tmp_path: Path) -> None:
    assert environment.journeys(WAYS, environment.run(tmp_path, WAYS), cluster=True) == list(ON_A_CLUSTER.values())
