"""The estimate of a step: its shape, what must hold for every one, and one line for a job that has none."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.verl_rocm.work.test_forward import DENSE, MOE
from verl_rocm.facts.efficiencies import calibrations
from verl_rocm.schedule.lengths import Lengths, from_mean
from verl_rocm.schedule.model import Limits, ScheduleError
from verl_rocm.timing.calibration import CalibrationError
from verl_rocm.timing.estimate import ResolvedJob, StepEstimate, estimate
from verl_rocm.work.forward import Split

JOB = ResolvedJob(
    shape=DENSE,
    split=Split(),
    limits=Limits(max_num_seqs=64, max_num_batched_tokens=8192, max_model_len=1024, kv_blocks=20_000),
    replicas=8,
    gpus=8,
    samples=4,
    prompt_tokens=128,
    sizes=(1, 2, 4, 8, 16, 32, 64),
)
LENGTHS = from_mean(512, 200, 800)


def seconds(job: ResolvedJob = JOB, lengths: Lengths = LENGTHS, gpu: str = "MI300X") -> StepEstimate:
    """The estimate with the calibrations of the facts."""
    return estimate(job, lengths, gpu, calibrations())


def test_an_estimate_is_a_range_with_its_calibrations_named() -> None:
    result = seconds()
    rollout, *training = result.phases
    assert rollout.seconds.high is not None and 0 < rollout.seconds.low < rollout.seconds.high
    assert [phase.name for phase in training] == ["old_log_prob", "ref", "update_actor"]
    assert training[2].seconds.low == pytest.approx(4 * training[0].seconds.low)  # backward twice, recomputed once
    assert all(phase.seconds.high is None for phase in training) and result.step.high is None
    assert result.notes == (
        "no training of the MI300X is calibrated: its phases take at least what their products need",
    )
    assert {used.quantity for used in result.used} == {"memory", "matrix_bf16", "step_ms"}
    assert result.rollout.small_seconds > 0 and result.response_tokens == sum(LENGTHS.responses)


def test_the_rollout_cannot_be_faster_than_its_longest_answer_reads_weights() -> None:
    peak = 5.325e12
    weights = 2 * (DENSE.parameters - DENSE.head_weights)
    assert seconds().phases[0].seconds.low > max(LENGTHS.responses) * weights / peak


def test_longer_answers_take_longer() -> None:
    longer = Lengths(tuple(tokens + 50 for tokens in LENGTHS.responses), "longer")
    assert seconds(lengths=longer).phases[0].seconds.low > seconds().phases[0].seconds.low


def test_a_gpu_with_more_bandwidth_is_faster_and_its_borrowed_value_is_named() -> None:
    faster = seconds(gpu="MI325X")
    assert faster.phases[0].seconds.low < seconds().phases[0].seconds.low
    assert [used.borrowed for used in faster.used if used.quantity == "step_ms"] == ["MI300X"]


def test_tensor_parallel_pays_for_its_reductions() -> None:
    two = seconds(JOB.model_copy(update={"split": Split(tensor_parallel=2), "replicas": 4})).phases[0].seconds.high
    one = seconds().phases[0].seconds.high
    assert one is not None and two is not None and two > one


def test_without_graphs_the_report_says_what_it_leaves_out() -> None:
    eager = seconds(JOB.model_copy(update={"sizes": ()}))
    assert eager.rollout.no_graph_steps == 1.0
    assert eager.notes[-1].startswith("100% of the decode steps find no graph; launches without one are not calibrated")


def test_a_mixture_of_experts_reads_less_at_a_small_batch() -> None:
    mixture = seconds(JOB.model_copy(update={"shape": MOE}), from_mean(8, 100, 200))
    dense = seconds(lengths=from_mean(8, 100, 200))
    assert mixture.phases[0].seconds.low < 2 * dense.phases[0].seconds.low  # four times the weights


@pytest.mark.parametrize(
    ("lengths", "gpu", "error", "says"),
    [
        ((900,) * 4, "MI300X", ScheduleError, "request 0 (128 + 900 tokens) exceeds max_model_len 1024; "),
        ((10,) * 5, "MI300X", ScheduleError, "5 lengths are no multiple of 4 samples a prompt; give all of them"),
        ((10,) * 4, "H100", CalibrationError, "GPU 'H100' is not known; known are MI210, "),
        ((10,) * 4, "MI355X", CalibrationError, "matrix_bf16 is not calibrated for the MI355X (gfx950): "),
    ],
)
def test_a_job_that_cannot_be_estimated(lengths: tuple[int, ...], gpu: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(says)}"):
        seconds(lengths=Lengths(lengths, "test"), gpu=gpu)


def test_kv_pressure_preempts_and_costs_time() -> None:
    tight = JOB.model_copy(update={"limits": replace(JOB.limits, kv_blocks=700), "replicas": 1, "gpus": 1})
    roomy = JOB.model_copy(update={"replicas": 1, "gpus": 1})
    pressed = seconds(tight)
    assert pressed.rollout.preemptions > 0 and pressed.rollout.recomputed_tokens > 0
    assert pressed.phases[0].seconds.low > seconds(roomy).phases[0].seconds.low
