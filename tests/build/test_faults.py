"""The six faults of the commands that the page of April 2025 gave, each shown on the real source.

The commands, as they stood there::

    cd vllm
    sudo ln -sf /opt/rocm/lib/libamdhip64.so /usr/lib/libamdhip64.so
    VLLM_TARGET_DEVICE=rocm ROCM_PATH=/opt/rocm/ VLLM_GPU_LANG=HIP SETUPTOOLS_SCM_PRETEND_VERSION=0.8.4.dev \\
        python3 setup.py develop
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.build.conftest import Clock
from tests.build.rehearsal import sources, steps
from tests.build.rehearsal.bench import LAYERS, Bench
from tests.build.rehearsal.rocm import rocm
from tests.build.rehearsal.variables import reads

LINK = "sudo ln -sf /opt/rocm/lib/libamdhip64.so /usr/lib/libamdhip64.so"
OLD = {"VLLM_TARGET_DEVICE": "rocm", "VLLM_GPU_LANG": "HIP", "SETUPTOOLS_SCM_PRETEND_VERSION": "0.8.4.dev"}
NEWEST = list(sources.pins())[-1]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The release that the commands name."""
    return Bench("0.8.4", tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The newest release."""
    return Bench(NEWEST, tmp_path_factory.mktemp("new"))


@pytest.mark.parametrize("release", sources.pins())
def test_1_gpu_lang_is_read_by_nothing(release: str) -> None:
    names = reads(sources.tree(release))
    assert "VLLM_GPU_LANG" not in names
    assert {"VLLM_TARGET_DEVICE", "ROCM_PATH", "SETUPTOOLS_SCM_PRETEND_VERSION"} <= names.keys()


def test_1_gpu_lang_changes_nothing(old: Bench) -> None:
    """Set to CUDA, the build is for HIP all the same."""
    done = steps.configure(old, env={"VLLM_GPU_LANG": "CUDA"})
    assert done.returncode == 0, done.stdout[-2000:]
    assert "--offload-arch=gfx942" in (old.root / "configured" / "build.ninja").read_text()
    assert "Enabling cumem allocator" not in done.stdout  # what 0.8.4 builds where VLLM_GPU_LANG is CUDA


def test_2_the_link_helps_ld_and_not_the_loader(clock: Clock, tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("a mount namespace needs root and unshare")
    with clock.step("link", "any") as seen:
        done = steps.link(tmp_path, LINK)
        if done.returncode == 3:
            pytest.skip(f"no overlay in a mount namespace here: {done.stdout.strip().splitlines()[-1]}")
        lines = done.stdout.splitlines()
        assert "cannot find -lamdhip64" in lines[0]
        codes = [line for line in lines if line.startswith(("linked before: ", "linked after: ", "ran: "))]
        assert codes == ["linked before: 1", "linked after: 0", "ran: 127"]
        assert "libamdhip64.so.5: cannot open shared object file" in done.stdout
        seen.append("before it ld cannot find -lamdhip64, after it ld can; the program still does not find the library")
    assert not Path("/usr/lib/libamdhip64.so").is_symlink()


def test_2_the_link_is_not_needed(old: Bench, new: Bench, tmp_path: Path) -> None:
    """0.8.4 links nothing by that name; the newest takes the file from ROCM_PATH, and by name where it is missing."""
    assert "amdhip64" not in (old.source / "CMakeLists.txt").read_text()
    done = steps.configure(new)
    assert f"Found libamdhip64 at {rocm()}/lib/libamdhip64.so" in done.stdout
    done = steps.configure(new, root=tmp_path)
    assert done.returncode == 0
    assert "falling back to linking 'amdhip64' by name" in " ".join(done.stdout.split())


def test_3_the_pretended_version_labels_whatever_is_there(new: Bench) -> None:
    assert steps.version(new, OLD) == "0.8.4.dev0+rocm70"
    assert steps.version(new).startswith(NEWEST)


def test_4_develop_is_handed_to_an_isolated_pip_from_setuptools_80_on(tmp_path: Path) -> None:
    """The same command, with the one and the other setuptools; without an index, the isolated build can only stop."""
    for layers, number in ((LAYERS, "79"), (("build-setuptools80", *LAYERS), "80")):
        (tmp_path / number).mkdir()
        bench = Bench("0.8.4", tmp_path / number, layers)
        environment = bench.environment({"PIP_NO_INDEX": "1", **OLD})
        done = bench.call(["python3", "setup.py", "develop", "--no-deps"], environment, 300)
        if number == "79":
            assert done.returncode == 0, done.stdout[-2000:]
            assert {"_C", "_rocm_C"} <= set(steps.targets(bench.calls()))
        else:
            assert done.returncode == 1
            assert "Installing build dependencies" in done.stdout
            assert bench.calls() == []  # cmake was never reached
    pyproject = (tmp_path / "80" / "vllm-0.8.4" / "pyproject.toml").read_text()
    assert '"torch == 2.6.0"' in pyproject  # what the isolated environment gets: the index's default build, for CUDA


def test_5_without_an_arch_the_build_is_for_what_happens_to_be_there(old: Bench) -> None:
    assert "PYTORCH_ROCM_ARCH" not in OLD
    done = steps.configure(old, arch=None, detected="gfx90a")
    assert done.returncode == 0, done.stdout[-2000:]
    ninja = (old.root / "configured" / "build.ninja").read_text()
    assert "--offload-arch=gfx90a" in ninja and "gfx942" not in ninja
    done = steps.configure(old, arch=None, detected="gfx906;gfx1036")  # one that 0.8.4 knows, and one that it does not
    assert "gfx1036" not in (old.root / "configured" / "build.ninja").read_text()
    done = steps.configure(old, arch=None, detected="gfx1036")
    assert done.returncode == 1
    assert "None of the detected ROCm architectures: gfx1036 is" in done.stdout


def test_6_the_release_that_they_name_has_no_allocator_for_sleep_mode(old: Bench) -> None:
    targets = steps.targets(steps.develop(old, OLD))
    assert targets and "cumem_allocator" not in targets
    with pytest.raises(steps.StepFailed, match=r"cuda_runtime_api\.h"):
        steps.allocator(old)
