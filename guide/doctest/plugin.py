"""The pytest plugin behind ``make doctest``: accelerator, model and evidence for tests; table and record at the end."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from guide.doctest.processes import end_children
from guide.doctest.results import LEVELS, NOT_RUN, Outcome, per_region
from guide.records import blocks as records
from guide.records import machine
from guide.regions import scan_tree

PROJECT = Path(__file__).resolve().parents[2]
EVIDENCE = (*LEVELS, NOT_RUN)
# One process for the engine: it starts in seconds, and nothing stays behind when the run is cut.
ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "TOKENIZERS_PARALLELISM": "false"}
# Inductor would need a C++ compiler, and 25 s an engine, to compile for a machine that the guide is not about.
CPU_ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING", "TORCH_COMPILE_DISABLE": "1"}
OUTCOMES = pytest.StashKey[Outcome]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("guide")
    group.addoption("--accelerator", choices=["cpu", "cuda", "rocm"], default="cpu", help="where blocks run")
    group.addoption("--only", default="", help="part of a page's or region's name")
    group.addoption("--model", default="", help="model directory or hub name instead of the tiny one")
    group.addoption("--record", action="store_true", help="write records/<machine class>.json")
    group.addoption("--class-suffix", default="", help="end of the record's name for an engine that is not the default")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "block(file, *regions, evidence='run', reason=None): regions that a test claims")
    config.addinivalue_line("markers", "accelerator(*names): where a test can run; it is skipped elsewhere")
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    if config.getoption("--accelerator") == "cpu":
        for key, value in CPU_ENVIRONMENT.items():
            os.environ.setdefault(key, value)
    if not config.getoption("--model"):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the tiny model is made here; nothing may be looked up
    if config.getoption("--record"):
        config.pluginmanager.register(Recorder(config), "guide-recorder")


def outcome_of(item: pytest.Item) -> Outcome | None:
    """What ``item`` claims by its ``block`` marks; a mark that is not well formed is a usage error."""
    marks = list(item.iter_markers("block"))
    if not marks:
        return None
    words = marks[0].kwargs
    evidence, reason = words.get("evidence", "run"), words.get("reason")
    if evidence not in EVIDENCE or (evidence == NOT_RUN and not reason):
        raise pytest.UsageError(
            f"{item.nodeid}: evidence={evidence!r} must be one of {EVIDENCE}, 'not run' with a reason"
        )
    regions = tuple(f"{mark.args[0]}:{name}" for mark in marks for name in mark.args[1:])
    return Outcome(regions, evidence, reason)


def plain(name: str) -> str:
    """A page, file or region name in one spelling: ``docs/how-to/x.rst`` and ``how_to/x.py`` share ``how_to/x``."""
    return re.sub(r"\.(rst|md)$", "", name.removeprefix("docs/").removeprefix("snippets/")).replace("-", "_")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    accelerator, only = config.getoption("--accelerator"), plain(config.getoption("--only"))
    known = set(scan_tree(PROJECT / "snippets")[0])
    kept = []
    for item in items:
        outcome = outcome_of(item)
        if outcome is not None:
            item.stash[OUTCOMES] = outcome
            if unknown := [region for region in outcome.regions if region not in known]:
                raise pytest.UsageError(f"{item.nodeid} claims {unknown[0]}, which is no region of a snippet")
        where = item.path.relative_to(PROJECT).as_posix() if item.path.is_relative_to(PROJECT) else item.path.name
        names = [*(outcome.regions if outcome else ()), where.replace("test_", ""), item.name]
        if any(only in name for name in names):
            kept.append(item)
        marks = [mark for mark in item.iter_markers("accelerator") if accelerator not in mark.args]
        if marks:
            needs = " or ".join(records.ACCELERATOR_WORDS[name] for name in marks[0].args)
            item.add_marker(pytest.mark.skip(reason=f"needs {needs}"))
    if only and not kept:
        pages = sorted({name for item in items if (made := outcome_of(item)) for name in made.regions})
        raise pytest.UsageError(f"ONLY={config.getoption('--only')} matches no block; there are {', '.join(pages)}")
    items[:] = kept


@pytest.fixture(scope="session")
def accelerator(request: pytest.FixtureRequest) -> str:
    """``"cpu"``, ``"cuda"`` or ``"rocm"``."""
    return str(request.config.getoption("--accelerator"))


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The model to run: MODEL, or a tiny random Qwen2 made here."""
    from guide.doctest.tiny_model import make_tiny_qwen2

    named = str(request.config.getoption("--model"))
    return named or str(make_tiny_qwen2(tmp_path_factory.mktemp("model") / "tiny-qwen2"))


class Evidence:
    """What a test says of its own run; shown under the block and kept in the record."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def passed(self, **arguments: object) -> None:
        """Arguments that the test passed instead of the snippet's defaults."""
        self._outcome.passed.update({key: str(value) for key, value in arguments.items()})

    def measured(self, **figures: float) -> None:
        """Figures of this run; the name carries the unit (``freed_gib``)."""
        self._outcome.measured.update({key: round(float(value), 4) for key, value in figures.items()})


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Says what was passed and measured; see :class:`Evidence`."""
    return Evidence(request.node.stash.get(OUTCOMES, Outcome((), "run", None)))


def _why(excinfo: pytest.ExceptionInfo[BaseException] | None) -> str:
    """The first line of what a test raised."""
    lines = str(excinfo.value).strip().splitlines() if excinfo else []
    return lines[0][:200] if lines else ""


class Recorder:
    """Collects outcomes, prints the closing table and writes the record; registered with ``--record`` only."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.started = datetime.now(UTC)
        self.outcomes: list[Outcome] = []
        self.table: list[tuple[str, str, str, str]] = []
        self.written: Path | None = None
        self.regions, _ = scan_tree(PROJECT / "snippets")  # as they are when the run starts

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        named = self.config.getoption("--model")
        if named and not Path(named).is_dir():
            from transformers import AutoConfig

            try:
                AutoConfig.from_pretrained(named)
            except Exception as error:  # transformers raises many kinds for a name that it cannot load
                first = str(error).strip().splitlines()[0]
                raise pytest.UsageError(f"MODEL={named} cannot be loaded: {first}; give a model directory") from None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        outcome = item.stash.get(OUTCOMES, None)
        if outcome is None:
            return report
        outcome.seconds += call.duration
        if call.when == "setup":
            outcome.setup_seconds += call.duration
            self.outcomes.append(outcome)
        if report.failed:
            outcome.status, outcome.reason = "failed", _why(call.excinfo) or f"{item.nodeid} failed"
        elif report.skipped and outcome.status == "passed":
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            outcome.status, outcome.reason = "skipped", reason.removeprefix("Skipped: ")
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        left = end_children()
        if left:
            session.exitstatus = 1
            self.table.append(("left behind", ", ".join(left), "", "a test left processes behind; they were ended"))
        if exitstatus not in (0, 1) or not self.outcomes:
            return  # Interrupted, or nothing ran: the record of the last whole run stays as it is.
        regions = self.regions
        found = machine.machine(self.config.getoption("--accelerator"))
        commit, clean = machine.commit(PROJECT)
        now = datetime.now(UTC)
        run_id = self.started.strftime("%Y%m%dT%H%M%SZ")
        run = records.Run(
            started=self.started, ended=now, machine=found, software=machine.software(), commit=commit, clean=clean
        )
        results = per_region(run_id, self.outcomes, regions)
        name = machine.machine_class(found) + self.config.getoption("--class-suffix")
        path = PROJECT / "records" / f"{name}.json"
        before = records.load(path) if path.is_file() else records.Record(machine_class=name)
        self.written = records.save(before.merged(run_id, run, results, set(regions)), path.parent)
        word = records.ACCELERATOR_WORDS[found.accelerator]
        for region, made in results.items():
            shown = made.level if made.level != "run" else f"run on {word}"
            seconds = f"{made.seconds:.1f}" + (f" (setup {made.setup_seconds:.1f})" if made.setup_seconds > 0.5 else "")
            self.table.append(
                (region, shown if made.status == "passed" else f"{made.status} on {word}", seconds, made.reason or "")
            )

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
