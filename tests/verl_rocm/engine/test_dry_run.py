"""verl's and vLLM's own code as named GPUs: what they resolve, what they refuse, and what the dry run never does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.verl_rocm.engine import jobs
from tests.verl_rocm.engine.jobs import ALL_GPUS, BASE, PAGE, Answer, R
from verl_rocm.dryrun import compare, engines
from verl_rocm.dryrun.report import DryRun, RefusedJob, Report
from verl_rocm.finding import Finding
from verl_rocm.worker.wire import Kind, Problem, Resolution, Sleep

BASE_DP = [*BASE, f"{R}.data_parallel_size=2"]


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    return jobs.answers()


def report(answers: dict[str, Answer], name: str) -> Report:
    """The report of a job that was accepted."""
    answer = answers[name]
    assert isinstance(answer, Report), answer.problems
    return answer


def resolution(answers: dict[str, Answer], name: str) -> Resolution:
    return report(answers, name).resolution


def problems(answers: dict[str, Answer], name: str) -> tuple[Problem, ...]:
    answer = answers[name]
    assert isinstance(answer, RefusedJob), "it was accepted"
    return answer.problems


def findings(answer: Report) -> dict[str, Finding]:
    return {item.id: item for item in answer.findings}


def counted(answer: Report) -> set[str]:
    return {item.id for item in answer.findings if item.level == "finding"}


@pytest.mark.parametrize("gpu", ALL_GPUS)
def test_the_recipe_of_the_original_page(answers: dict[str, Answer], gpu: str) -> None:
    answer = report(answers, f"page {gpu}")
    job = answer.resolution
    assert job.graphs.sizes == (1, 2, 4, 8, 16, 32, 64)
    assert job.graphs.mode == "FULL_AND_PIECEWISE"
    assert job.runner.model_dump() == {
        "executor": "MultiprocExecutor",
        "worker": "vllm.v1.worker.gpu_worker.Worker",
        "model_runner": "V2",
    }
    below = findings(answer)["sizes-below-max-num-seqs"]
    assert "max_num_seqs is 256" in below.title and "65 to 256" in below.title
    arch = answer.gpu.arch
    assert job.precision.capability.endswith(f"minor={int(arch[4])})")
    # vLLM's own answers.  0.30.0 counts gfx90a among the GPUs with FP8 (rocm.py:1009); the facts say it has none.
    expected = {
        "gfx90a": ("float8_e4m3fn", True),
        "gfx942": ("float8_e4m3fnuz", True),
        "gfx950": ("float8_e4m3fn", True),
    }
    assert (job.precision.fp8, job.precision.supports_fp8) == expected[arch]


def test_a_clean_job_has_no_finding(answers: dict[str, Answer]) -> None:
    assert counted(report(answers, "clean")) == set()


def test_eager_makes_the_sizes_idle(answers: dict[str, Answer]) -> None:
    assert "eager-idles-graphs" in counted(report(answers, "eager"))
    assert resolution(answers, "eager").graphs.max == 0


def test_aiter_is_found_installed_and_not_chosen_by_itself(answers: dict[str, Answer]) -> None:
    assert "aiter-not-chosen" in counted(report(answers, "aiter on"))
    chosen = {(choice.aiter, choice.backend) for choice in resolution(answers, "aiter asked").attention}
    assert (True, "ROCM_AITER_FA") in chosen
    assert any(choice.error for choice in resolution(answers, "aiter asked").attention if not choice.aiter)


def test_a_false_that_verl_sends_arrives(answers: dict[str, Answer]) -> None:
    job = resolution(answers, "prefix caching off")
    assert "--no-enable_prefix_caching" in job.command
    assert job.resolved["enable_prefix_caching"] is False
    assert "false-dropped" not in counted(report(answers, "prefix caching off"))


def test_sleep(answers: dict[str, Answer]) -> None:
    assert resolution(answers, "clean").sleep == Sleep(mode="hybrid", free_cache_engine=True, pool=True, level=2)
    assert resolution(answers, "lora").sleep.level == 1
    assert "sleep-without-pool" in counted(report(answers, "no pool"))
    assert resolution(answers, "fully async").sleep.mode == "standalone"


def test_a_reward_model_is_named_and_not_resolved(answers: dict[str, Answer]) -> None:
    text = findings(report(answers, "reward model"))["other-rollout"].title
    assert "the reward model me/judge gets an engine of its own" in text and "enforce_eager=True" in text
    assert "other-rollout" not in findings(report(answers, "clean"))


def test_the_generation_server_is_not_checked_as_a_trainer(answers: dict[str, Answer]) -> None:
    """Its main function does not call verl's validation, so a setting of the actor cannot refuse it."""
    assert report(answers, "generation")
    assert "ppo_micro_batch_size" in problems(answers, "the same as training")[0].message


def test_keys_of_another_trainer_are_left_out_and_named(answers: dict[str, Answer]) -> None:
    """Fails where unknown keys of a trainer that is none of verl's own refuse the job."""
    (line,) = (text for text in resolution(answers, "trainer of others").warnings if "left out" in text)
    assert line == "left out, no keys of verl.trainer.main_ppo: data.size_in_a_fork, trainer.nnodes"


def test_a_refusal_says_who_refuses(answers: dict[str, Answer]) -> None:
    lines = {name: problems(answers, name)[0].line() for name in ("unknown key", "heads", "tp", "unknown model")}
    assert lines["unknown key"].startswith("verl refuses this job: verl has no key")
    assert lines["heads"].startswith("vLLM refuses this job: ")
    assert lines["tp"].startswith("one engine needs 3 GPUs") and lines["unknown model"].startswith("model /nowhere")


def test_all_reduce(answers: dict[str, Answer]) -> None:
    assert "quick-reduce-off" in findings(report(answers, "no custom all-reduce"))
    assert "quick-reduce-off" not in findings(report(answers, "clean"))


@pytest.mark.parametrize(("gpu", "fp8"), [("MI300X", "e4m3fnuz"), ("MI355X", "e4m3fn")])
def test_fp8(answers: dict[str, Answer], gpu: str, fp8: str) -> None:
    answer = report(answers, f"fp8 {gpu}")
    assert answer.resolution.resolved["quantization"] == "fp8"
    assert fp8 in findings(answer)["fp8-format"].title


@pytest.mark.parametrize(
    ("name", "architecture", "backend"),
    [
        ("moe", "Qwen3MoeForCausalLM", "ROCM_ATTN"),
        ("mla", "DeepseekV3ForCausalLM", "TRITON_MLA"),
        ("vision", "Qwen2_5_VLForConditionalGeneration", "ROCM_ATTN"),
        ("hybrid model", "Qwen3_5MoeForConditionalGeneration", "ROCM_ATTN"),
    ],
)
def test_families(answers: dict[str, Answer], name: str, architecture: str, backend: str) -> None:
    job = resolution(answers, name)
    assert job.model.architecture == architecture
    assert job.attention[0].backend == backend, job.attention[0]
    assert (job.model.moe, job.model.hybrid) == (name in ("moe", "mla", "hybrid model"), name == "hybrid model")


def test_the_environment_is_verls_on_rocm(answers: dict[str, Answer]) -> None:
    sent = resolution(answers, "clean").environment
    assert sent["VLLM_LOGGING_LEVEL"] == "WARN" and sent["HSA_NO_SCRATCH_RECLAIM"] == "1"
    assert sent["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] == "0", "verl took torch for a ROCm build"
    assert resolution(answers, "aiter on").environment["VLLM_ROCM_USE_AITER"] == "1"


REFUSED = {
    "unknown key": (
        "compose",
        f"verl has no key {R}.max_num_seq",
        "max_num_seqs, in verl/trainer/config/rollout/rollout",
    ),
    "key of the dataclass": ("compose", "verl's dataclass has it", f"+{R}.enable_sleep_mode"),
    "append": ("compose", "is set already", f"{R}.max_num_seqs="),
    "malformed": ("compose", "is no override", "key=value"),
    "unknown field": ("verl", "max_num_seq", ""),
    "unknown flag": ("vllm", "unrecognized arguments: --no-such-flag 1", ""),
    "bad choice": ("vllm", "FULLEST", ""),
    "heads": ("vllm", "attention heads (28) must be divisible by tensor parallel size (8)", ""),
    "tp": ("verl", "one engine needs 3 GPUs", "tensor_model_parallel_size"),
    "gpus": ("devices", "trainer.n_gpus_per_node is 16, but a node has 8 GPUs", "--gpus 16"),
    "no number": ("compose", "trainer.nnodes is two", "whole number"),
    "no ways": ("compose", "tensor_model_parallel_size is 0", "whole number"),
    "no variables": ("compose", "env_vars is [1]", ".NAME=value"),
    "sizes are a number": ("vllm", "Input should be a valid array", ""),
    "another release's key": ("compose", "verl has no key actor_rollout_ref.actor.megatron.foo", "it would be in verl"),
    "field of a dataclass": ("verl", "unexpected keyword argument 'tau_pos'", "nearest is actor_rollout_ref.actor.tau"),
    "sglang": ("scope", "name is sglang", "covers vllm"),
    "unknown model": ("model", "/nowhere/my-model is neither a directory nor bundled", "--model"),
    "too long": ("verl", "max_model_len (99999) should be less than or equal to", ""),
    "frozen field": ("verl", "max_num_batched_tokens", "enable_chunked_prefill=True"),
    "visibility conflict": ("devices", "inconsistant values found: 0 and 2,3", "unset all three"),
    "rocr": ("devices", "Please use HIP_VISIBLE_DEVICES instead of ROCR_VISIBLE_DEVICES", "unset all three"),
    "several replicas": ("devices", "vLLM: Inconsistent GPU visibility env vars", "unset all three"),
    "few visible": ("devices", "n_gpus_per_node is 8, but a node has 2 GPUs", ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_line(answers: dict[str, Answer], name: str) -> None:
    stage, says, hint = REFUSED[name]
    problem = problems(answers, name)[0]
    assert (problem.stage, says in problem.message, hint in problem.hint) == (stage, True, True), problem
    assert "\n" not in problem.message + problem.hint and "Traceback" not in problem.message


def test_visible_devices_that_suffice_are_fine(answers: dict[str, Answer]) -> None:
    assert report(answers, "one replica")


def test_no_answer_is_a_fault(answers: dict[str, Answer]) -> None:
    refused = {name: answer.problems for name, answer in answers.items() if isinstance(answer, RefusedJob)}
    assert not {name for name, problems in refused.items() if any(problem.stage == "fault" for problem in problems)}


def test_all_problems_come_at_once(answers: dict[str, Answer]) -> None:
    """Two keys that verl lacks, a model that nobody has and variables that Ray refuses: one look shows all four."""
    kinds = [problem.kind for problem in problems(answers, "everything wrong")]
    assert kinds == [Kind.UNKNOWN_KEY, Kind.UNKNOWN_KEY, Kind.UNKNOWN_MODEL, Kind.VISIBILITY]
    keys = [problem.key for problem in problems(answers, "everything wrong")[:2]]
    assert keys == [f"{R}.max_num_seq", "trainer.nnode"]
    assert problems(answers, "everything wrong")[0].nearest == f"{R}.max_num_seqs"


def test_a_variable_that_the_release_does_not_read_is_a_finding(answers: dict[str, Answer]) -> None:
    dead = findings(report(answers, "dead variable"))["old-attention-variables-ignored"]
    assert "vLLM 0.30.0 does not read it; 0.14.1 was the last release to read it" in dead.title
    assert any("attention_backend=ROCM_AITER_FA" in line for way in dead.remedies for line in way.lines)
    assert dead.remedies[-1].lines == ("unset VLLM_ATTENTION_BACKEND",)
    assert not {"variable-not-read", "old-attention-variables-ignored"} & set(findings(report(answers, "clean")))
    assert "variable-not-read" not in findings(report(answers, "aiter on"))


def test_a_model_that_only_a_config_file_names_is_placed(answers: dict[str, Answer]) -> None:
    job = resolution(answers, "own config")
    assert (job.model.named, job.model.architecture) == (
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "Qwen2_5_VLForConditionalGeneration",
    )


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(jobs.FOR_REAL_ENGINES)}


def alone() -> list[str]:
    """What takes the network away from a command, where the system allows it."""
    command = ["unshare", "-rn"]
    works = shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0
    return command if works else []


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder into which pip has installed the project from a copy, as ``pip install .`` would."""
    source, target = tmp_path / "source", tmp_path / "target"
    for name in ("verl_rocm",):
        shutil.copytree(engines.ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(engines.ROOT / "pyproject.toml", source)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, env=clean() | {"PYTHONPATH": ""})
    return target


def test_the_installed_command_from_end_to_end_without_a_network(installed: Path) -> None:
    command = [str(installed / "bin" / "verl-rocm"), "dry-run", "--json", "--gpu", "MI300X", "--rocm", "7.2.1", *PAGE]
    environment = clean() | {"PYTHONPATH": str(installed)}
    done = subprocess.run([*alone(), *command], capture_output=True, text=True, cwd=installed, env=environment)
    assert done.returncode == 1, done.stderr
    run = DryRun.model_validate_json(done.stdout)
    assert run.versions["vllm"] == "0.30.0"
    (answer,) = run.reports
    assert isinstance(answer, Report) and "sizes-below-max-num-seqs" in counted(answer)


GUARD = """
import os, sys
def guard(event, arguments):
    wrong = ""
    if event == "socket.connect" and getattr(arguments[0], "family", None) != 1:
        wrong = f"connects to {arguments[1]}"
    elif event == "socket.getaddrinfo" and arguments[0] not in (None, "127.0.0.1", "localhost"):
        wrong = f"looks up {arguments[0]}"
    elif event == "open" and str(arguments[0]).startswith(("/dev/kfd", "/dev/dri", "/dev/nvidia")):
        wrong = f"opens {arguments[0]}"
    elif event == "ctypes.dlopen" and any(word in str(arguments[0]) for word in ("amdhip64", "libcuda.so", "amd_smi")):
        wrong = f"loads {arguments[0]}"
    elif event == "subprocess.Popen" and any(word in str(arguments[:2]) for word in ("raylet", "gcs_server", "ray::")):
        wrong = f"starts {arguments[1]}"
    if wrong:
        with open(os.environ["GUARD_LOG"], "a") as log:
            log.write(wrong + "\\n")
sys.addaudithook(guard)
"""


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of every forbidden act of a Python process that has this folder on its path."""
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    monkeypatch.setenv("GUARD_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("VERL_ROCM_EXTRA_PATH", str(tmp_path))
    (tmp_path / "log").touch()
    return tmp_path


def test_alone_in_a_process_a_gpu_is_the_same_and_nothing_is_opened(answers: dict[str, Answer], guarded: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pairs = [jobs.request("MI355X", PAGE, Path(folder)), jobs.request("MI355X", BASE_DP, Path(folder))]
        alone, parallel = jobs.resolved(pairs)
    assert isinstance(alone, Report) and isinstance(parallel, Report)
    assert compare.differences([answers["page MI355X"], alone]) == []
    assert resolution(answers, "page MI355X").precision == alone.resolution.precision
    assert (guarded / "log").read_text() == "", "no GPU, no connection, no Ray cluster"


@pytest.mark.parametrize(
    ("act", "says"),
    [
        ("import socket; socket.socket().connect_ex(('127.0.0.1', 9))", "connects to"),
        ("import socket; socket.getaddrinfo('example.invalid', 1)", "looks up"),
        ("open('/dev/kfd')", "opens /dev/kfd"),
        ("import ctypes; ctypes.CDLL('libamdhip64.so')", "loads libamdhip64"),
        ("import subprocess; subprocess.run(['raylet'])", "starts"),
    ],
)
def test_the_guard_sees(guarded: Path, act: str, says: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(guarded)}
    subprocess.run([sys.executable, "-c", act], env=environment, capture_output=True)
    assert says in (guarded / "log").read_text()
