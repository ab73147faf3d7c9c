"""The pytest plugin behind ``make doctest``: accelerator, model and evidence for tests; see also ``recorder``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from guide.doctest.recorder import OUTCOMES, PROJECT, Recorder, Reporter, is_worker, record_path
from guide.doctest.results import LEVELS, NOT_RUN, Outcome
from guide.records import blocks as records
from guide.records import machine
from guide.regions import scan_tree

EVIDENCE = (*LEVELS, NOT_RUN)
# One process for the engine: it starts in seconds, and nothing stays behind when the run is cut.
ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "TOKENIZERS_PARALLELISM": "false"}
# Inductor would need a C++ compiler, and 25 s an engine, to compile for a machine that the guide is not about.
CPU_ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING", "TORCH_COMPILE_DISABLE": "1"}
# A thread that spins while it waits takes the core from the engine beside it: minutes instead of seconds on two cores.
CPU_ENVIRONMENT |= {"OMP_WAIT_POLICY": "passive"}


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
        config.pluginmanager.register(Reporter(), "guide-reporter")
        if not is_worker(config):
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
        pages = sorted({name for item in items if (outcome := outcome_of(item)) for name in outcome.regions})
        raise pytest.UsageError(f"ONLY={config.getoption('--only')} matches no block; there are {', '.join(pages)}")
    items[:] = longest_first(config, kept) if is_worker(config) else kept


def longest_first(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """``items`` file by file, the file that took longest in the last record first: workers take files in this order."""
    path = record_path(config, machine.machine_class(machine.machine(config.getoption("--accelerator"))))
    results = records.load(path).regions if path.is_file() else {}
    regions: dict[Path, set[str]] = {}
    for item in items:
        regions.setdefault(item.path, set()).update(item.stash[OUTCOMES].regions if OUTCOMES in item.stash else ())
    seconds = {file: sum(results[name].seconds for name in names if name in results) for file, names in regions.items()}
    return sorted(items, key=lambda item: -seconds[item.path])  # stable: a file stays together, in its own order


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
