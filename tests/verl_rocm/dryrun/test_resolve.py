"""What of a script's launches is reported."""

from verl_rocm.dryrun.report import DryRun, RefusedJob
from verl_rocm.dryrun.resolve import rollouts
from verl_rocm.worker.wire import Kind, Problem

from .samples import GPU, report


def refused(kind: Kind) -> RefusedJob:
    problem = Problem(kind=kind, stage="scope", message="no rollout")
    return RefusedJob(gpu=GPU, rocm=None, launcher="verl.trainer.sft_trainer", problems=(problem,))


def test_a_program_without_a_rollout_is_no_report_beside_others() -> None:
    """Fine-tuning before the training; fails where its refusal makes the exit code 2."""
    run = DryRun(versions={}, reports=(refused(Kind.LAUNCHER), report()))
    assert rollouts(run).reports == (report(),)


def test_alone_it_is_refused() -> None:
    run = DryRun(versions={}, reports=(refused(Kind.LAUNCHER),))
    assert rollouts(run) == run


def test_what_verl_refuses_stays() -> None:
    run = DryRun(versions={}, reports=(refused(Kind.UNKNOWN_KEY), report()))
    assert rollouts(run) == run
