"""From a question to the finished dry run: requests out, answers in, facts added."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

from verl_rocm.facts.base import Facts, FactsError
from verl_rocm.facts.load import load
from verl_rocm.worker.overrides import by_key
from verl_rocm.worker.wire import Answers, Kind, Refusal, Request, Resolution

from . import engines, findings, issues, refusals, variables
from .jobs import BadInput, Job, Question, checkout, identities, jobs, request
from .report import DryRun, RefusedJob, Report

ENV_VARS = "ray_kwargs.ray_init.runtime_env.env_vars."


def _exported(request: Request) -> dict[str, str]:
    """Variables that the user set: exported by a script, or as overrides."""
    words = by_key(request.arguments).items()
    overrides = {key.removeprefix(ENV_VARS): value.strip("'\"") for key, value in words if key.startswith(ENV_VARS)}
    return {**request.environment, **overrides}


def report(
    answer: Resolution | Refusal, request: Request, job: Job, versions: dict[str, str], facts: Facts
) -> Report | RefusedJob:
    """An answer with findings and known issues, or with what the facts say of its problems."""
    gpu, rocm = request.identity, request.rocm
    if isinstance(answer, Refusal):
        problems = tuple(refusals.explained(problem, versions["verl"], facts) for problem in answer.problems)
        return RefusedJob(
            gpu=gpu,
            rocm=rocm,
            launcher=request.launcher,
            notes=job.notes,
            problems=problems,
            findings=tuple(variables.unread(facts, versions, _exported(request))),
        )
    subject = findings.Subject(answer, gpu, facts, versions, _exported(request))
    reported = findings.find(subject)
    named = {item.id for item in reported}  # a known issue that a rule saw is not repeated
    matched = issues.matches(facts, answer, gpu, releases(versions, rocm))
    return Report(
        gpu=gpu,
        rocm=rocm,
        launcher=request.launcher,
        completed=job.completed,
        notes=job.notes,
        resolution=answer,
        findings=reported,
        issues=tuple(match for match in matched if match.finding.id not in named),
    )


def releases(versions: dict[str, str], rocm: str | None) -> dict[str, str | None]:
    """The releases on which known issues depend; what is not known is None."""
    return {name: versions.get(name) for name in ("vllm", "verl", "ray")} | {"rocm": rocm}


def finished(answers: Answers, requests: Sequence[Request], launched: Sequence[Job], facts: Facts) -> DryRun:
    """The child's answers with what the facts add."""
    rows = zip(answers.answers, requests, launched, strict=True)
    reports = tuple(report(answer, request, job, answers.versions, facts) for answer, request, job in rows)
    return DryRun(versions=answers.versions, reports=reports)


def rollouts(run: DryRun) -> DryRun:
    """The reports without programs of a script that start no rollout, such as fine-tuning, where others do."""
    kept = [
        report
        for report in run.reports
        if not (isinstance(report, RefusedJob) and report.problems[0].kind is Kind.LAUNCHER)
    ]
    return run.model_copy(update={"reports": tuple(kept)}) if kept else run


def dry_run(question: Question) -> DryRun:
    """Resolve every job on every GPU, in one child process.

    Raises:
        BadInput, ScriptProblem, EngineProblem: with one line each.
    """
    if question.rocm is not None and not re.fullmatch(r"\d+(\.\d+){0,3}", question.rocm):
        raise BadInput(f"--rocm {question.rocm} is no release: write it like 7.2.1")
    named = identities(question)
    python = engines.interpreter(question.vllm)
    with tempfile.TemporaryDirectory(prefix="verl-rocm-models-") as folder:
        by_arch = {arch: jobs(question, arch) for arch in dict.fromkeys(gpu.arch for gpu in named)}
        rows = zip_longest(*(by_arch[gpu.arch] for gpu in named))  # job by job, each on all GPUs
        pairs = [(job, gpu) for row in rows for job, gpu in zip(row, named, strict=True) if job]
        requests = [request(question, job, gpu, Path(folder)) for job, gpu in pairs]
        launched = [job for job, _ in pairs]
        with ThreadPoolExecutor(1) as pool:  # the facts are read while the child imports vLLM
            facts = pool.submit(load)
            answers = engines.resolve(requests, python, checkout=checkout(launched))
            try:
                return rollouts(finished(answers, requests, launched, facts.result()))
            except FactsError as error:
                raise BadInput(str(error)) from None


def compared(question: Question) -> tuple[tuple[str, ...], DryRun]:
    """The names of what is compared, and a report for each.

    Raises:
        BadInput: less than two, or something that cannot be compared; and what :func:`dry_run` raises.
    """
    kind, _, listed = (question.compare or "").rpartition("=")
    names = tuple(name.strip() for name in listed.split(",") if name.strip())
    if kind not in ("", "vllm", "gpu") or len(names) < 2:
        raise BadInput(f"--compare {question.compare}: write MI300X,MI355X or vllm=0.24.0,0.30.0")
    if kind != "vllm":
        return names, dry_run(replace(question, gpus=names))
    runs = [dry_run(replace(question, vllm=name)) for name in names]
    reports = tuple(report for run in runs for report in run.reports)
    return tuple(f"vLLM {name}" for name in names), DryRun(versions=runs[0].versions, reports=reports)


def brings(facts: Facts, item: Report, versions: dict[str, str]) -> partial[list[str]]:
    """What an upgrade would bring to this job: a function of component and version."""
    return partial(issues.brings, facts, item.resolution, item.gpu, releases(versions, item.rocm))
