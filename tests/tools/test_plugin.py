"""The pytest plugin behind `make doctest`: selection, aggregation, the record, interrupts, what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guide.doctest.plugin import plain
from guide.doctest.results import Outcome, per_region
from guide.regions import Region
from tools.environment import ROOT

SNIPPET = "# [start:one]\nONE = 1\n# [end:one]\n# [start:two]\nTWO = 2\n# [end:two]\n"
REGION = Region("a.py", "one", "ONE = 1", 1, "a", "b", "c")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the plugin with one snippet and no engine."""
    for name in ("guide", "guide/doctest", "guide/records"):
        target = tmp_path / name
        target.mkdir(parents=True)
        for path in (ROOT / name).glob("*.py"):
            (target / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets/a.py").write_text(SNIPPET)
    (tmp_path / "tests/snippets").mkdir(parents=True)
    return tmp_path


@pytest.fixture(params=[(), ("-n2", "--dist=loadfile")], ids=["one process", "two workers"])
def workers(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Options of a run in one process (as on a GPU) and of one with workers (as on the CPU)."""
    options: tuple[str, ...] = request.param
    return options


def write_test(project: Path, body: str, marks: str = '@pytest.mark.block("a.py", "one")') -> None:
    source = (
        f"import os, subprocess, sys, time\nimport pytest\n\n{marks}\ndef test_a(evidence, accelerator):\n    {body}\n"
    )
    (project / "tests/snippets/test_a.py").write_text(source)


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "guide/doctest/run_pytest.py", "tests/snippets", "--record", *arguments]
    return subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def call(project: Path, *arguments: str) -> tuple[int, str]:
    process = start(project, *arguments)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def record(project: Path) -> dict[str, dict[str, object]]:
    regions = json.loads((project / f"records/cpu-{os.uname().machine}.json").read_text())["regions"]
    assert isinstance(regions, dict)
    return regions


def test_a_run_is_recorded_with_what_was_passed_and_measured(project: Path, workers: tuple[str, ...]) -> None:
    write_test(project, "evidence.passed(size=4); evidence.measured(freed_gib=1.25)")
    code, output = call(project, *workers)
    assert code == 0
    assert "a.py:one  run on CPU" in output
    result = record(project)["a.py:one"]
    assert (result["status"], result["level"]) == ("passed", "run")
    assert result["passed"] == {"size": "4"}
    assert result["measured"] == {"freed_gib": 1.25}


def test_a_failure_is_recorded_and_fails_the_run(project: Path, workers: tuple[str, ...]) -> None:
    write_test(project, "assert accelerator == 'rocm', 'not AMD'")
    code, output = call(project, *workers)
    assert code == 1
    assert record(project)["a.py:one"]["status"] == "failed"
    assert "not AMD" in output


@pytest.mark.parametrize(
    ("marks", "reason"),
    [
        ('@pytest.mark.accelerator("cuda", "rocm")\n@pytest.mark.block("a.py", "one")', "needs CUDA or ROCm"),
        ('@pytest.mark.block("a.py", "one", evidence="not run", reason="refused")', "refused"),
    ],
)
def test_what_did_not_run_is_recorded_with_its_reason(
    project: Path, workers: tuple[str, ...], marks: str, reason: str
) -> None:
    write_test(project, "assert accelerator == 'cpu'", marks)
    code, output = call(project, *workers)
    assert code == 0
    assert record(project)["a.py:one"]["status"] == "not run"
    assert record(project)["a.py:one"]["reason"] == reason
    assert reason in output


@pytest.mark.parametrize("only", ["a.py:one", "one", "docs/a.rst", "snippets/a.py"])
def test_only_selects_by_page_or_region(project: Path, only: str) -> None:
    write_test(project, "pass")
    assert call(project, f"--only={only}")[0] == 0


def test_only_that_matches_nothing_is_bad_input(project: Path) -> None:
    write_test(project, "pass")
    code, output = call(project, "--only=nothing")
    assert code == 2
    assert "ERROR: ONLY=nothing matches no block; there are a.py:one" in output
    assert not (project / "records").exists()


def test_no_test_at_all_is_a_failure(project: Path) -> None:
    code, _ = call(project)
    assert code == 1
    assert not (project / "records").exists()


def test_a_mark_without_a_reason_is_refused(project: Path) -> None:
    write_test(project, "pass", '@pytest.mark.block("a.py", "one", evidence="not run")')
    code, output = call(project)
    assert code == 2
    assert "'not run' with a reason" in output


def test_a_claim_on_no_region_is_refused(project: Path) -> None:
    write_test(project, "pass", '@pytest.mark.block("a.py", "three")')
    code, output = call(project)
    assert code == 2
    assert "claims a.py:three, which is no region" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_cut_run_leaves_the_record_and_no_process(
    project: Path, workers: tuple[str, ...], number: signal.Signals
) -> None:
    write_test(project, "pass")
    assert call(project, *workers)[0] == 0
    path = next((project / "records").glob("*.json"))
    before = path.read_bytes()
    write_test(
        project,
        "from pathlib import Path; from guide.doctest.processes import run; "
        "run([sys.executable, '-c', "
        "\"import os, time; open('child', 'w').write(str(os.getpid())); time.sleep(60)\"], timeout=60)",
    )
    process = start(project, *workers)
    child = project / "child"
    end = time.monotonic() + 30
    while not (child.exists() and child.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=30) != 0
    pid = int(child.read_text())
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_workers_take_the_file_first_that_took_longest(project: Path) -> None:
    """Collected last, recorded as the longest: it must not start when all others are done."""
    write_test(project, "pass")
    tests = project / "tests/snippets"
    (tests / "test_z.py").write_text(
        (tests / "test_a.py").read_text().replace('"one"', '"two"').replace("test_a", "test_z")
    )
    assert call(project)[0] == 0
    path = next((project / "records").glob("*.json"))
    written = json.loads(path.read_text())
    written["regions"]["a.py:two"]["seconds"] = 100
    path.write_text(json.dumps(written))
    _, output = call(project, "-n1", "--dist=loadfile", "--no-loadscope-reorder", "-v")
    assert output.index("test_z.py::test_z") < output.index("test_a.py::test_a")


def test_a_process_left_behind_is_ended_and_fails_the_run(project: Path, workers: tuple[str, ...]) -> None:
    write_test(project, "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])")
    code, output = call(project, *workers)
    assert code == 1
    assert "left behind" in output


@pytest.mark.parametrize(
    ("outcomes", "status", "level", "reason"),
    [
        ([Outcome(("r",), "run", None), Outcome(("r",), "checked", None)], "passed", "run", None),
        ([Outcome(("r",), "run", None), Outcome(("r",), "checked", "no", "failed")], "failed", "run", "no"),
        ([Outcome(("r",), "checked", None), Outcome(("r",), "not run", "refused")], "passed", "checked", "refused"),
        ([Outcome(("r",), "run", "needs ROCm", "skipped"), Outcome(("r",), "run", None)], "passed", "run", None),
        ([Outcome(("r",), "run", "needs ROCm", "skipped")], "not run", "run", "needs ROCm"),
        ([Outcome(("r",), "dry run", None), Outcome(("r",), "checked", None)], "passed", "dry run", None),
    ],
)
def test_the_outcomes_of_a_region_become_one(
    outcomes: list[Outcome], status: str, level: str, reason: str | None
) -> None:
    result = per_region("1", outcomes, {"r": REGION})["r"]
    assert (result.status, result.level, result.reason) == (status, level, reason)


def test_different_values_of_an_argument_are_all_said() -> None:
    outcomes = [Outcome(("r",), "run", None, passed={"size": size}) for size in ("2", "1", "2")]
    assert per_region("1", outcomes, {"r": REGION})["r"].passed == {"size": "2 and 1"}


def test_seconds_are_shared_by_the_regions_of_a_test() -> None:
    results = per_region(
        "1", [Outcome(("r", "s"), "run", None, seconds=3, setup_seconds=2)], {"r": REGION, "s": REGION}
    )
    assert (results["r"].seconds, results["s"].setup_seconds) == (1.5, 1.0)


@pytest.mark.parametrize("name", ["docs/how-to/sleep-mode.rst", "how_to/sleep_mode", "how-to/sleep-mode.md"])
def test_a_page_and_its_snippet_have_one_spelling(name: str) -> None:
    assert plain(name) == "how_to/sleep_mode"


def test_what_a_run_leaves_in_the_temporary_folder_goes_with_it(project: Path, tmp_path: Path) -> None:
    """Also what a killed child leaves, and what a process writes by the name that the system gives."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    leave = "import tempfile; tempfile.mkdtemp(prefix='vllm_dist_'); open(tempfile.gettempdir() + '/socket', 'w')"
    write_test(project, f"subprocess.run([sys.executable, '-c', {leave!r}], check=True); exec({leave!r})")
    command = [sys.executable, "guide/doctest/run_pytest.py", "tests/snippets"]
    done = subprocess.run(
        command, cwd=project, env=os.environ | {"TMPDIR": str(scratch)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert list(scratch.iterdir()) == []
