"""Sources, variables and the table: bad input is told apart from good, and a wrong script is noticed."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from guide.records import rehearsals
from tests.build.conftest import merged
from tests.build.rehearsal import sources, steps
from tests.build.rehearsal.bench import Bench
from tests.build.rehearsal.rocm import STANDINS
from tests.build.rehearsal.variables import reads, set_by

SETUP = """\
from torch.utils.cpp_extension import ROCM_HOME
from setuptools_scm import get_version
import os
a = os.environ.get("A_GET"), os.getenv("B_GETENV"), os.environ["C_INDEX"]
b = envs.D_ENVS, envs.lower, cfg.NOT_READ
os.environ["NOT_READ"] = "1"
c = {}.get("NOT_READ"), "NOT_READ"  # os.getenv("NOT_READ")
"""
CMAKE = """\
set(VLLM_GPU_LANG "HIP")
if(DEFINED ENV{A_DEFINED})
  set(B_CMAKE $ENV{C_READ})  # $ENV{NOT_READ}
  set(ENV{NOT_READ} 1)
"""


def test_what_counts_as_reading_a_variable(tmp_path: Path) -> None:
    (tmp_path / "cmake" / "deep").mkdir(parents=True)
    (tmp_path / "setup.py").write_text(SETUP)
    (tmp_path / "CMakeLists.txt").write_text(CMAKE)
    (tmp_path / "cmake" / "deep" / "x.cmake").write_text("$ENV{IN_CMAKE}")
    (tmp_path / "other.py").write_text('import os\nos.getenv("ELSEWHERE")')
    assert reads(tmp_path) == {
        "A_GET": "setup.py",
        "B_GETENV": "setup.py",
        "C_INDEX": "setup.py",
        "D_ENVS": "setup.py, through vllm/envs.py",
        "ROCM_HOME": "setup.py, through torch.utils.cpp_extension",
        "ROCM_PATH": "setup.py, through torch.utils.cpp_extension",
        "SETUPTOOLS_SCM_PRETEND_VERSION": "setup.py, through setuptools_scm",
        "A_DEFINED": "CMakeLists.txt",
        "C_READ": "CMakeLists.txt",
        "IN_CMAKE": "cmake/deep/x.cmake",
    }


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("export VLLM_GPU_LANG=HIP", {"VLLM_GPU_LANG"}),
        ("export A B=$A    # C=1", {"A", "B"}),
        ("A=1 VLLM_GPU_LANG=HIP python3 setup.py develop", {"A", "VLLM_GPU_LANG"}),
        ('tag="${1:-v1}"   # comment', set()),
        ('found="$(ask 1)"', set()),
    ],
)
def test_what_a_script_sets(line: str, names: set[str]) -> None:
    assert set_by(f"set -eu\n{line}\n") == names


def test_a_source_with_another_sha256_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("--dest") + 1])
        (folder / "vllm-0.8.4.tar.gz").write_bytes(b"another")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(sources.Missing, match=r"has the sha256 .*, which is not the pinned one"):
        sources.archive("0.8.4", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_in_the_cache_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vllm-0.8.4.tar.gz").write_bytes(b"half")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(sources.Missing, match=r"the source of vLLM 0\.8\.4 cannot be fetched: "):
        sources.archive("0.8.4", tmp_path)


def test_shellcheck_finds_nothing_in_the_stand_ins() -> None:
    scripts = [path for path in STANDINS.iterdir() if path.is_file() and path.suffix in ("", ".sh")]
    assert len(scripts) == 5
    assert subprocess.run(["shellcheck", *scripts]).returncode == 0


def test_a_script_that_drops_the_arch_is_noticed(tmp_path: Path) -> None:
    """The control of the rehearsed script: the recording cmake is told no arch."""
    bench = Bench("0.8.4", tmp_path)
    text = steps.SCRIPT.read_text()
    assert text.count('export PYTORCH_ROCM_ARCH="$arch"') == 1
    broken = tmp_path / "broken.sh"
    broken.write_text(text.replace('export PYTORCH_ROCM_ARCH="$arch"', ""))
    assert steps.script(bench, path=broken).returncode == 0
    assert bench.calls("ENV")[-1][0] == "PYTORCH_ROCM_ARCH="


def result(seen: str) -> rehearsals.Result:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    return rehearsals.Result(status="passed", seconds=1, seen=seen, ended=now, load=1, commit=None, clean=True)


def test_a_record_keeps_what_did_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "records" / "build" / "rehearsals.json"
    rehearsals.save(merged({"0.8.4": {"version": result("a"), "build": result("b"), "gone": result("c")}}, path), path)
    rehearsals.save(merged({"0.8.4": {"version": result("d")}, "0.1.0": {"version": result("e")}}, path), path)
    record = rehearsals.load(path)
    assert record is not None
    assert {name: step.seen for name, step in record.results["0.8.4"].items()} == {"version": "d", "build": "b"}
    assert list(record.results) == ["0.8.4"]
    assert list(record.steps) == list(steps.STEPS)


def test_a_file_that_is_no_record_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(ValueError, match=r"r\.json is no record of rehearsals .*: restore it with git"):
        rehearsals.load(tmp_path / "r.json")
    assert rehearsals.load(tmp_path / "none.json") is None


PINNED_IN = {
    "0.8.4": "requirements/rocm-build.txt",
    "0.24.0": "requirements/build/rocm.txt",
    "0.33.0": "docs/getting_started/installation/gpu.rocm.inc.md",
}


@pytest.mark.parametrize("release", PINNED_IN)
def test_the_release_scripts_install_what_the_release_pins(release: str) -> None:
    """Index, PyTorch and what belongs to it stand in the release's own file, with the arch as its variable there."""
    script = steps.SCRIPT.with_name(f"get_vllm_{release.replace('.', '_')}.sh").read_text()
    pins = re.findall(r'(?:^|[\s"])((?:rocm|torch\w*|triton)(?:\[[^]]*\])?==[\w.+]+)', script)
    assert len(pins) >= 3
    upstream = (sources.tree(release) / PINNED_IN[release]).read_text().replace("${GPU_ARCH}", "$arch")
    for word in [*pins, *re.findall(r"--index-url (\S+)", script)]:
        assert word in upstream, word
