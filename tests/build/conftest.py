"""``make test-build``: times the steps, prints the table, and writes the record (with ``--record-build``)."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from guide.records import machine, rehearsals
from tests.build.rehearsal.bench import Bench
from tests.build.rehearsal.sources import Missing, pins
from tests.build.rehearsal.steps import STEPS
from tools.environment import ROOT

RESULTS = pytest.StashKey[dict[str, dict[str, rehearsals.Result]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("build")
    group.addoption("--whole", action="store_true", help="also build everything (minutes a release)")
    group.addoption("--release", default="", help="rehearse these releases alone, with commas")
    group.addoption("--record-build", action="store_true", help=f"write {rehearsals.RECORD}")
    group.addoption("--must", action="store_true", help="what cannot be had fails, instead of being skipped")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Rehearse every pinned release, one after the other."""
    if "bench" not in metafunc.fixturenames:
        return
    selection = [name for name in str(metafunc.config.getoption("--release")).split(",") if name] or list(pins())
    if unknown := [name for name in selection if name not in pins()]:
        raise pytest.UsageError(
            f"VLLM={unknown[0]} is not pinned in requirements/vllm-sources.txt: {', '.join(pins())}"
        )
    metafunc.parametrize("bench", selection, indirect=True, scope="module")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """What is neither here nor can be fetched skips its test with a reason, unless it must be there."""
    try:
        return (yield)
    except Missing as missing:
        if item.config.getoption("--must"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The bench of one release."""
    return Bench(request.param, tmp_path_factory.mktemp("bench"))


class Clock:
    """Times the steps of a session."""

    def __init__(self, results: dict[str, dict[str, rehearsals.Result]]) -> None:
        self.results = results
        self.commit, self.clean = machine.commit(ROOT)

    @contextmanager
    def step(self, name: str, release: str) -> Iterator[list[str]]:
        """Time a step; what is appended to the list is what was seen.  A failure is kept, and goes on."""
        seen: list[str] = []
        begin = time.monotonic()
        status = "failed"
        try:
            yield seen
            status = "passed"
        except Missing:
            status = ""
            raise
        finally:
            if status:
                self.results.setdefault(release, {})[name] = rehearsals.Result.model_validate(
                    {
                        "status": status,
                        "seconds": round(time.monotonic() - begin, 1),
                        "seen": "; ".join(seen),
                        "ended": datetime.now(UTC),
                        "load": round(os.getloadavg()[0], 1),
                        "commit": self.commit,
                        "clean": self.clean,
                    }
                )


@pytest.fixture(scope="session")
def clock(request: pytest.FixtureRequest) -> Clock:
    """Times steps; see :class:`Clock`."""
    return Clock(request.config.stash[RESULTS])


def _here() -> str:
    system = Path("/etc/os-release").read_text().partition('PRETTY_NAME="')[2].partition('"')[0]
    return f"{platform.machine()}, {os.cpu_count()} cores, {system}, Python {platform.python_version()}, no GPU"


def merged(new: dict[str, dict[str, rehearsals.Result]], path: Path) -> rehearsals.Rehearsals:
    """The record with new results put in; steps and releases that exist no more are left out."""
    before = rehearsals.load(path)
    kept = before.results if before else {}
    results = {
        release: {
            name: row[name] for name in STEPS if name in (row := {**kept.get(release, {}), **new.get(release, {})})
        }
        for release in [*pins(), "any"]
    }
    steps = {step.name: rehearsals.Step(really=step.really, replaced=list(step.replaced)) for step in STEPS.values()}
    return rehearsals.Rehearsals(
        machine=_here(), steps=steps, results={release: row for release, row in results.items() if row}
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was seen, and what stood in for what; then keep it."""
    results = config.stash[RESULTS]
    if not results:
        return
    terminalreporter.section("rehearsals of the build")
    for release, row in results.items():
        for name, result in row.items():
            terminalreporter.write_line(f"{release:8}{name:11}{result.status} {result.seconds:6.1f} s  {result.seen}")
    for name in dict.fromkeys(name for row in results.values() for name in row):
        for text in STEPS[name].replaced:
            terminalreporter.write_line(f"replaced in {name}: {text}")
    if config.getoption("--record-build"):
        rehearsals.save(merged(results, ROOT / rehearsals.RECORD), ROOT / rehearsals.RECORD)
        terminalreporter.write_line(f"record: {rehearsals.RECORD}")
