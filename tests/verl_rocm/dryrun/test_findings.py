"""Findings over hand-made results: each rule once with its cause, once without."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verl_rocm.dryrun.samples import GPU, R, row, subject
from verl_rocm.dryrun import findings
from verl_rocm.finding import Finding
from verl_rocm.worker.wire import Attention


def by_id(**changes: Any) -> dict[str, Finding]:
    return {finding.id: finding for finding in findings.find(subject(**changes))}


def counted(**changes: Any) -> set[str]:
    return {name for name, finding in by_id(**changes).items() if finding.level == "finding"}


def test_a_clean_recipe_has_no_finding() -> None:
    assert counted() == set()


def test_sizes_below_max_num_seqs_are_found_with_sizes_to_paste() -> None:
    below = by_id(graphs={"sizes": (1, 2, 4, 8, 16, 32, 64), "max": 64})["sizes-below-max-num-seqs"]
    assert "65 to 256 sequences run without a graph" in below.title
    assert [way.lines for way in below.remedies] == [
        (f"'{R}.cudagraph_capture_sizes=[1,2,4,8,16,32,64,128,256]'",),
        (f"{R}.max_num_seqs=64",),
    ]


def test_sizes_that_vllm_changed_are_by_id() -> None:
    requested = {"requested": {"cudagraph_capture_sizes": [1, 2, 4, 512]}, "sizes": (1, 2, 4, 256)}
    assert "sizes-clipped" in counted(graphs=requested)
    assert "sizes-clipped" not in counted(graphs=requested | {"sizes": (1, 2, 4, 512), "max": 512})


@given(sizes=st.lists(st.integers(-2, 300), max_size=6), largest=st.integers(-1, 1024))
def test_pasted_sizes_reach_the_largest_batch(sizes: list[int], largest: int) -> None:
    grown = findings.capture_sizes(sizes, largest)
    positive = {size for size in sizes if size > 0} or {1}
    assert grown == sorted(set(grown)) and positive <= set(grown)
    assert grown[-1] >= largest and grown[-1] == max([largest, *positive])


@pytest.mark.parametrize(("vllm", "level"), [(True, "finding"), (False, "note")])
def test_a_dropped_false_counts_where_vllm_makes_true_of_it(vllm: bool, level: str) -> None:
    dropped = by_id(journey=(row("enable_x", False, vllm, override="False"),))["false-dropped"]
    assert dropped.level == level
    pasted = [line for way in dropped.remedies for line in way.lines]
    assert (pasted == [f"++{R}.engine_kwargs.vllm.no_enable_x=True"]) is vllm


def test_a_false_that_was_sent_is_not_dropped() -> None:
    assert "false-dropped" not in by_id(
        journey=(row("enable_x", False, False, sent="--no-enable_x", override="False"),)
    )


def test_eager_idles_what_was_asked_of_graphs() -> None:
    traced = row("cudagraph_capture_sizes", [1, 2], [], sent="--compilation_config {}", override="[1,2]")
    idle = {"resolved": {"enforce_eager": True}, "graphs": {"mode": "NONE", "sizes": (), "max": 0}}
    assert "eager-idles-graphs" in counted(**idle, journey=(traced,))
    assert counted(**idle, journey=()) == set()


def test_quick_reduce_counts_only_where_the_job_wants_it() -> None:
    off = {"resolved": {"disable_custom_all_reduce": True}}
    assert by_id(**off)["quick-reduce-off"].level == "note"
    assert "quick-reduce-off" in counted(**off, environment={"VLLM_ROCM_QUICK_REDUCE_QUANTIZATION": "INT8"})
    assert "quick-reduce-off" not in by_id(resolved={"disable_custom_all_reduce": True, "tensor_parallel_size": 1})


def test_sleep_without_pool_counts_and_a_pool_without_sleep_does_not() -> None:
    assert "sleep-without-pool" in counted(sleep={"pool": False})
    assert by_id(sleep={"free_cache_engine": False})["pool-without-sleep"].level == "note"
    assert "no-sleep" in by_id(sleep={"mode": "standalone"})


def test_fp8_counts_on_a_gpu_without_it() -> None:
    fp8 = {"resolved": {"quantization": "fp8"}}
    assert "fp8-missing" in counted(
        **fp8, gpu=GPU.model_copy(update={"fp8": "none", "arch": "gfx90a", "name": "MI250X"})
    )
    assert "fp8-missing" not in counted(**fp8)
    assert "e4m3fnuz" in by_id(**fp8)["fp8-format"].title


def test_a_value_that_vllm_replaced_is_by_id() -> None:
    assert "changed" in counted(journey=(row("max_model_len", 4096, 2048, sent="--max_model_len 4096"),))
    assert "changed" not in counted(journey=(row("enable_x", True, True, sent="--enable_x"),))


def test_aiter_that_was_switched_on_and_not_chosen_is_by_id() -> None:
    choices = (Attention(aiter=True, switch="1", backend="ROCM_ATTN", block_size=16, graphs="ALWAYS"),)
    assert "aiter-not-chosen" in counted(attention=choices, environment={"VLLM_ROCM_USE_AITER": "1"})
    assert "aiter-not-chosen" not in counted(attention=choices)
