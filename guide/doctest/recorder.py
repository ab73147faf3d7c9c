"""From the reports of a run to its closing table and record, in one process or with pytest-xdist's workers.

A :class:`Reporter` sits in each process that runs tests and puts what a test claims and did on its report.
The :class:`Recorder` sits in the process that the user started and reads nothing but those reports.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from guide.doctest.processes import end_children
from guide.doctest.results import Outcome, per_region
from guide.records import blocks as records
from guide.records import machine
from guide.regions import scan_tree

PROJECT = Path(__file__).resolve().parents[2]
OUTCOMES = pytest.StashKey[Outcome]()
LEFT_BEHIND = "left_behind"  # the key under which a worker names the processes that its tests left


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for another one (pytest-xdist)."""
    return hasattr(config, "workerinput")


def record_path(config: pytest.Config, machine_class: str) -> Path:
    """The file that keeps the results of this class of machine and engine."""
    return PROJECT / "records" / f"{machine_class}{config.getoption('--class-suffix')}.json"


def _why(excinfo: pytest.ExceptionInfo[BaseException] | None) -> str:
    """The first line of what a test raised."""
    lines = str(excinfo.value).strip().splitlines() if excinfo else []
    return lines[0][:200] if lines else ""


class Reporter:
    """Adds the outcome of a test that claims regions to each of its reports, as ``report.outcome_of_block``."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        outcome = item.stash.get(OUTCOMES, None)
        if outcome is None:
            return report
        outcome.seconds += call.duration
        if call.when == "setup":
            outcome.setup_seconds += call.duration
        if report.failed:
            outcome.status, outcome.reason = "failed", _why(call.excinfo) or f"{item.nodeid} failed"
        elif report.skipped and outcome.status == "passed":
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            outcome.status, outcome.reason = "skipped", reason.removeprefix("Skipped: ")
        report.outcome_of_block = asdict(outcome)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if is_worker(session.config):  # its processes would outlive it, and nobody would see whose they are
            session.config.workeroutput[LEFT_BEHIND] = end_children()  # type: ignore[attr-defined]


class Recorder:
    """Collects outcomes, prints the closing table and writes the record; registered with ``--record`` only."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.started = datetime.now(UTC)
        self.outcomes: dict[str, Outcome] = {}
        self.left_behind: list[str] = []
        self.table: list[tuple[str, str, str, str]] = []
        self.written: Path | None = None
        self.regions, _ = scan_tree(PROJECT / "snippets")  # as they are when the run starts

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        model = self.config.getoption("--model")
        if model and not Path(model).is_dir():
            from transformers import AutoConfig

            try:
                AutoConfig.from_pretrained(model)
            except Exception as error:  # transformers raises many kinds for a name that it cannot load
                first = str(error).strip().splitlines()[0]
                raise pytest.UsageError(f"MODEL={model} cannot be loaded: {first}; give a model directory") from None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = getattr(report, "outcome_of_block", None)
        if outcome is not None:
            self.outcomes[report.nodeid] = Outcome(**outcome)  # the last report of a test has all of it

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.left_behind += getattr(node, "workeroutput", {}).get(LEFT_BEHIND, [])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        self.left_behind += end_children()
        if self.left_behind:
            session.exitstatus = 1
            reason = "a test left processes behind; they were ended"
            self.table.append(("left behind", ", ".join(self.left_behind), "", reason))
        if exitstatus not in (0, 1) or not self.outcomes:
            return  # Interrupted, or nothing ran: the record of the last whole run stays as it is.
        here = machine.machine(self.config.getoption("--accelerator"))
        commit, clean = machine.commit(PROJECT)
        run_id = self.started.strftime("%Y%m%dT%H%M%SZ")
        run = records.Run(
            started=self.started,
            ended=datetime.now(UTC),
            machine=here,
            software=machine.software(),
            commit=commit,
            clean=clean,
        )
        results = per_region(run_id, self.outcomes.values(), self.regions)
        path = record_path(self.config, machine.machine_class(here))
        before = records.load(path) if path.is_file() else records.Record(machine_class=path.stem)
        self.written = records.save(before.merged(run_id, run, results, set(self.regions)), path.parent)
        self.table += [row(region, result, here) for region, result in results.items()]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.table:
            return
        terminalreporter.section("blocks")
        head = ("block", "evidence", "seconds", "reason")
        widths = [max(len(row[column]) for row in [head, *self.table]) for column in range(3)]
        for row in [head, *self.table]:
            cells = [cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)]
            terminalreporter.write_line("  ".join(cells).rstrip())
        if self.written:
            terminalreporter.write_line(f"record: {self.written.relative_to(PROJECT)}")


def row(region: str, result: records.Result, here: records.Machine) -> tuple[str, str, str, str]:
    """One line of the closing table: block, evidence, seconds, reason."""
    word = records.ACCELERATOR_WORDS[here.accelerator]
    level = f"run on {word}" if result.level == "run" else result.level
    setup = f" (setup {result.setup_seconds:.1f})" if result.setup_seconds > 0.5 else ""
    evidence = level if result.status == "passed" else f"{result.status} on {word}"
    return region, evidence, f"{result.seconds:.1f}{setup}", result.reason or ""
