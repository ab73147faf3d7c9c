"""Every step of the build of every pinned release; what stands in for what is in ``tests/build/rehearsal/steps.py``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.build.conftest import Clock
from tests.build.rehearsal import sources, steps
from tests.build.rehearsal.bench import Bench
from tests.build.rehearsal.rocm import rocm
from tests.build.rehearsal.variables import reads, set_by
from verl_rocm.facts import releases

SET = {"MAX_JOBS", "PYTORCH_ROCM_ARCH", "ROCM_PATH", "VLLM_TARGET_DEVICE"}
ALLOCATOR_SAYS = "RuntimeError: CUDA Error: hipErrorInvalidDevice at csrc/cumem_allocator.cpp:"


@dataclass(frozen=True)
class Expected:
    """What a release must show.  The names are those of CMake targets."""

    version: str
    targets: set[str]
    rocm_path_passed: bool = True

    @property
    def allocator(self) -> bool:
        return "cumem_allocator" in self.targets


BASE = {"_C", "_moe_C", "_rocm_C"}
SINCE_0_24 = {"_rocm_C", "_C", "cumem_allocator", "triton_kernels"}
EXPECTED = {
    "0.8.4": Expected("0.8.4+rocm705", BASE, rocm_path_passed=False),
    "0.11.0": Expected("0.11.0+rocm705", BASE, rocm_path_passed=False),
    "0.24.0": Expected("0.24.0+rocm705", SINCE_0_24),
    "0.32.0": Expected("0.32.0+rocm705", SINCE_0_24),
    "0.33.0": Expected("0.33.0+rocm70", SINCE_0_24),
}


def test_source(bench: Bench, clock: Clock) -> None:
    with clock.step("source", bench.release) as seen:
        archive = sources.archive(bench.release)
        for name in (
            "setup.py",
            "CMakeLists.txt",
            "cmake/hipify.py",
            "csrc/cumem_allocator.cpp",
            "requirements/rocm.txt",
        ):
            assert (bench.source / name).is_file(), name
        seen.append(f"{archive.stat().st_size / 1e6:.1f} MB, sha256 {sources.pins()[bench.release][:12]}…")


def test_variables(bench: Bench, clock: Clock) -> None:
    with clock.step("variables", bench.release) as seen:
        names = reads(bench.source)
        assert set_by(steps.SCRIPT.read_text()) == SET
        assert names.keys() >= SET
        assert "VLLM_GPU_LANG" not in names
        seen.append(", ".join(f"{name} in {names[name]}" for name in sorted(SET)))


def test_the_contract_says_the_same(bench: Bench) -> None:
    """The contract of a release, which checks the names on pages, was read from the same files."""
    stored = releases.release("vllm", bench.release).sections["env"]
    own = {name for name, by in reads(bench.source).items() if ", through" not in by or "envs.py" in by}
    assert own <= stored.keys()


def test_version(bench: Bench, clock: Clock) -> None:
    with clock.step("version", bench.release) as seen:
        seen.append(steps.version(bench))
        assert seen == [EXPECTED[bench.release].version]


def test_a_torch_that_is_no_rocm_build_gives_no_rocm_version(bench: Bench) -> None:
    with pytest.raises(steps.StepFailed, match=r"Unknown runtime environment|assert CUDA_HOME|CUDA_HOME is not set"):
        steps.version(bench, {"REHEARSAL_HIP": ""})


def test_develop(bench: Bench, clock: Clock) -> None:
    expected = EXPECTED[bench.release]
    with clock.step("develop", bench.release) as seen:
        calls = steps.develop(bench)
        configured = next(call for call in calls if str(bench.source) in call)
        assert "-DVLLM_TARGET_DEVICE=rocm" in configured
        assert (f"-DROCM_PATH={rocm()}" in configured) == expected.rocm_path_passed
        assert not [word for word in configured if "GPU_LANG" in word]
        targets = set(steps.targets(calls))
        assert expected.targets <= targets
        assert ("cumem_allocator" in targets) == expected.allocator
        seen.append(f"cmake was told to build {', '.join(sorted(targets))}")


def test_allocator(bench: Bench, clock: Clock) -> None:
    with clock.step("allocator", bench.release) as seen:
        if EXPECTED[bench.release].allocator:
            lines = steps.allocator(bench)
            assert lines.startswith(ALLOCATOR_SAYS)
        else:
            with pytest.raises(steps.StepFailed, match=r"cuda_runtime_api\.h: No such file") as failure:
                steps.allocator(bench)
            lines = "written for CUDA alone: " + failure.value.args[0].partition("fatal error: ")[2].splitlines()[0]
        seen.append(lines)


def test_script(bench: Bench, clock: Clock) -> None:
    expected = EXPECTED[bench.release]
    if expected.allocator and not steps.built_allocator(bench).exists():
        steps.allocator(bench)
    with clock.step("script", bench.release) as seen:
        done = steps.script(bench, "gfx942;gfx950", {"REHEARSAL_ALLOCATOR": str(steps.built_allocator(bench))})
        assert done.returncode == 0, done.stdout[-3000:]
        assert expected.targets <= set(steps.targets(bench.calls()))
        assert bench.calls("ENV")[-1] == ["PYTORCH_ROCM_ARCH=gfx942;gfx950", f"ROCM_PATH={rocm()}"]
        [requirements] = bench.calls("PIP")
        assert requirements[5:7] == ["-r", "requirements/rocm.txt"]
        assert ("has no sleep mode on ROCm" in done.stdout) == (not expected.allocator)
        seen.append(done.stdout.strip().splitlines()[-1])
        assert seen[0].startswith(f"vllm {expected.version} torch 2.13.0+cpu HIP 7.0.51831")


@pytest.mark.parametrize(
    ("arch", "env", "says"),
    [
        ("gfx942;gfx900", {}, "is not built for 'gfx900'; it knows gfx906 gfx908 gfx90a gfx942 gfx950 "),
        ("gfx942", {"REHEARSAL_HIP": ""}, "is no ROCm build: install PyTorch for ROCm first"),
    ],
)
def test_the_script_stops_on_the_real_source(bench: Bench, arch: str, env: dict[str, str], says: str) -> None:
    done = steps.script(bench, arch, env)
    assert (done.returncode, len(done.stdout.splitlines())) == (2, 1), done.stdout
    assert says in done.stdout


def test_github_is_needed_where_the_release_clones_from_it(bench: Bench) -> None:
    """Git is told to refuse, which is what a machine without a way to GitHub sees."""
    none = {
        f"GIT_CONFIG_{key}": value for key, value in (("COUNT", "1"), ("KEY_0", "protocol.allow"), ("VALUE_0", "never"))
    }
    done = steps.script(bench, env={"TRITON_KERNELS_SRC_DIR": "", **none}, path=_until_the_build(bench))
    clones = EXPECTED[bench.release].allocator  # both came after 0.11.0
    assert ("/triton.git, which cannot be reached: set TRITON_KERNELS_SRC_DIR" in done.stdout) == clones
    assert done.returncode == (2 if clones else 0)


def _until_the_build(bench: Bench) -> Path:
    """The script without its last two parts."""
    path = bench.root / "checks.sh"
    path.write_text(steps.SCRIPT.read_text().partition("# [start:build]")[0])
    return path


def test_configure(bench: Bench, clock: Clock) -> None:
    with clock.step("configure", bench.release) as seen:
        good = steps.configure(bench, "gfx942;gfx1100")
        assert good.returncode == 0, good.stdout[-3000:]
        ninja = (bench.root / "configured" / "build.ninja").read_text()
        assert "--offload-arch=gfx942" in ninja and "--offload-arch=gfx1100" in ninja
        assert ("Enabling cumem allocator extension" in good.stdout) == EXPECTED[bench.release].allocator
        bad = steps.configure(bench, "gfx900")
        assert bad.returncode == 1
        assert "None of the detected ROCm architectures: gfx900 is" in bad.stdout
        seen.append(
            "gfx942 and gfx1100 reach the compiler; with gfx900 it stops: None of the detected ROCm architectures"
        )


def test_build(bench: Bench, clock: Clock, pytestconfig: pytest.Config) -> None:
    if not pytestconfig.getoption("--whole"):
        pytest.skip("the whole build takes minutes: make doctest-build")
    expected = EXPECTED[bench.release]
    fresh = Bench(bench.release, bench.root / "whole")
    fresh.root.mkdir()
    with clock.step("build", bench.release) as seen:
        done = steps.script(fresh, compile=True, limit=1500)
        assert done.returncode == 0, done.stdout[-4000:]
        assert f"vllm {expected.version} torch 2.13.0+cpu HIP 7.0.51831" in done.stdout
        libraries = sorted((fresh.python.parents[1]).rglob("site-packages/vllm/*.so"))
        assert all(path.stat().st_size > 5_000 for path in libraries)
        names = [path.name.partition(".")[0] for path in libraries]
        assert expected.targets - {"triton_kernels"} <= set(names)
        seen.append(f"{len(libraries)} libraries installed: {', '.join(names)}")
