"""Estimates are ranges over the runs that fit; more of anything never takes less."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verl_rocm.memory.calibration import overhead, runs
from verl_rocm.memory.rollout import GIB, Engine

ENGINES = st.builds(
    Engine,
    vocabulary=st.integers(1, 300_000),
    max_num_seqs=st.integers(1, 4096),
    tensor_parallel=st.sampled_from([1, 2, 4, 8]),
    graphs=st.integers(0, 200),
)


def test_only_runs_that_fit_are_used() -> None:
    estimate = overhead(Engine(vocabulary=151936, max_num_seqs=1024, tensor_parallel=1, graphs=1))
    judging = {run.id for run in runs() if not run.fit}
    assert judging and not judging & set(estimate.total.sources)


def test_judging_runs_of_one_release_lie_near_the_largest() -> None:
    """H100 and image v0.11.0: text models of one source agree within 2 % on bytes a sequence and entry."""
    for run in runs():
        if run.fit or run.vocabulary is None or run.max_num_seqs is None or run.activation_gib is None:
            continue
        engine = Engine(
            vocabulary=run.vocabulary, max_num_seqs=run.max_num_seqs, tensor_parallel=run.tensor_parallel or 1, graphs=0
        )
        estimate = overhead(engine).activation
        assert estimate.low / GIB < run.activation_gib < estimate.high / GIB * 1.02, run.id


def test_no_graph_takes_nothing() -> None:
    assert overhead(Engine(vocabulary=1000, max_num_seqs=8, tensor_parallel=1, graphs=0)).graphs.high == 0


@given(ENGINES)
def test_ranges_are_ordered_and_never_negative(engine: Engine) -> None:
    estimate = overhead(engine)
    for part in (estimate.activation, estimate.non_torch, estimate.graphs, estimate.total):
        assert 0 <= part.low <= part.middle <= part.high


@given(ENGINES, st.integers(1, 64))
def test_more_sequences_and_graphs_never_take_less(engine: Engine, more: int) -> None:
    larger = engine.model_copy(update={"max_num_seqs": engine.max_num_seqs + more, "graphs": engine.graphs + more})
    assert overhead(larger).total.low >= overhead(engine).total.low
    assert overhead(larger).total.high >= overhead(engine).total.high
