"""The page on choosing GPUs: its script on a real Ray node whose GPUs are claimed, and what it says of bad cases."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import cast

import pytest

from guide.doctest import processes
from guide.doctest.plugin import Evidence
from guide.records.ray import VisibilityCase, load_visibility
from snippets.how_to import choose_the_gpus
from snippets.how_to.choose_the_gpus import Job, Process
from tests.support.stand_ins import stand_ins

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "snippets" / "how_to"
RECORD = load_visibility(ROOT / "records" / "ray" / "visibility.json")
BAD = dict.fromkeys(choose_the_gpus.NAMES, "0,1")


@pytest.mark.block("how_to/choose_the_gpus.sh", "unset", "check", evidence="dry run")
@pytest.mark.block("how_to/choose_the_gpus.py", "worker", "server")
@pytest.mark.accelerator("cpu")
def test_the_script_frees_a_shell_that_follows_the_old_pages(tmp_path: Path, evidence: Evidence) -> None:
    pytest.importorskip("verl")
    from tests.support import amd_node

    environ = amd_node.environment()
    path = stand_ins(tmp_path, ray='echo ray "$@"', python3=f'exec "{sys.executable}" "$@"')
    with amd_node.ray_node(environ) as address:
        shell = {**environ, **BAD, "PATH": path, "RAY_ADDRESS": address, "TENSOR_PARALLEL": "1", "GPUS": "2"}
        done = processes.run(["bash", str(FOLDER / "choose_the_gpus.sh"), "--port=6380"], timeout=300, env=shell)
    evidence.passed(GPUs="2 MI300X, claimed", TENSOR_PARALLEL=1)
    lines = [line.split(None, 2) for line in done.stdout.splitlines()]
    assert "ray start --head --num-gpus=2 --port=6380" in done.stdout.splitlines()
    assert ["shell", "none", "set"] in lines
    assert ["vLLM", "server", "CUDA_VISIBLE_DEVICES=0"] in lines
    assert ["vLLM", "engine", "CUDA_VISIBLE_DEVICES=0; 1 GPUs"] in lines
    for gpu in ("0", "1"):
        says = f"Ray gives HIP_VISIBLE_DEVICES={gpu}; verl makes CUDA_VISIBLE_DEVICES={gpu}"
        assert ["worker", gpu, says] in lines
    assert (done.returncode, lines[-1]) == (0, ["all", "processes", "agree"])


@pytest.mark.block("how_to/choose_the_gpus.sh", "start", evidence="checked")
@pytest.mark.parametrize("variables", [BAD, {"ROCR_VISIBLE_DEVICES": "0"}, {}])
def test_ray_is_started_without_the_variables(tmp_path: Path, variables: dict[str, str]) -> None:
    log = tmp_path / "said"
    shows = f'echo "$*" > {log}; env | grep VISIBLE_DEVICES >> {log}; exit 3'
    environ = {**os.environ, **variables, "PATH": stand_ins(tmp_path, ray=shows, python3="echo 4")}  # torch counts 4
    noset = {f"RAY_EXPERIMENTAL_NOSET_{name}_VISIBLE_DEVICES": "1" for name in ("ROCR", "CUDA")}
    done = processes.run(["bash", str(FOLDER / "choose_the_gpus.sh")], timeout=30, env=environ | noset)
    assert log.read_text() == "start --head --num-gpus=4\n"
    assert done.returncode == 3, "a Ray that does not start ends the script"


@pytest.mark.block("how_to/choose_the_gpus.py", "worker", "server", evidence="dry run")
@pytest.mark.parametrize("case", RECORD.cases, ids=lambda case: case.id)
def test_the_script_says_what_was_recorded(case: VisibilityCase) -> None:
    if case.workers:
        assert choose_the_gpus.problems(cast(Job, case.model_dump())) == case.problems


@pytest.mark.block("how_to/choose_the_gpus.py", "worker", "server", evidence="dry run")
def test_too_few_or_no_gpus_are_a_problem() -> None:
    worker: Process = {"problem": None, "gpus": 0, "ray": {}, "verl": {}, "gpu": ["0"]}
    server: Process = {**worker, "gpus": 3, "vllm": {}}
    seen: Job = {"shell": {}, "gpus": 1, "workers": [worker], "server": server, "problem": None}
    assert choose_the_gpus.problems(seen) == ["worker 0: sees no GPU", "vLLM: sees 3 GPUs, its replica has 1"]
    few: Job = {**seen, "workers": [], "server": None, "problem": "counts 1"}
    assert choose_the_gpus.problems(few) == ["Ray: counts 1"]
    assert choose_the_gpus.report(seen)[-1] == "vLLM engine   none set; 3 GPUs"


@pytest.mark.block("how_to/choose_the_gpus.py", "worker", "server", evidence="dry run")
def test_bad_input_is_one_line(tmp_path: Path) -> None:
    script = [sys.executable, str(FOLDER / "choose_the_gpus.py")]
    done = processes.run([*script, "--tensor-parallel", "0"], timeout=30)
    assert (done.returncode, done.stdout.splitlines()[-1].endswith("must be 1 or more")) == (2, True)
    (tmp_path / "ray.py").write_text("raise RuntimeError('Please use HIP_VISIBLE_DEVICES')")  # as Ray's own import does
    done = processes.run(script, timeout=30, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "Ray: RuntimeError: Please use HIP_VISIBLE_DEVICES")


@pytest.mark.block("how_to/choose_the_gpus_container.sh", "container", evidence="checked")
def test_the_container_gets_the_named_gpus_and_no_others(tmp_path: Path) -> None:
    environ = {**os.environ, "PATH": stand_ins(tmp_path, docker='printf "%s\\n" "$@"'), "IMAGE": "image"}
    script = ["bash", str(FOLDER / "choose_the_gpus_container.sh"), "bash", "-c", "a b"]
    done = processes.run(script, timeout=30, env={**environ, "RENDER": "/dev/dri/renderD128 /dev/dri/renderD136"})
    words = done.stdout.splitlines()
    devices = [words[place + 1] for place, word in enumerate(words) if word == "--device"]
    assert devices == ["/dev/kfd", "/dev/dri/renderD128", "/dev/dri/renderD136"]
    assert words[-4:] == ["image", "bash", "-c", "a b"]
    done = processes.run(script, timeout=30, env=environ)
    assert (done.returncode, "name the render nodes" in done.stdout) == (1, True)
