"""Which GPUs each process would see, with real Ray and verl: the page's table, and nothing says otherwise."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path

import pytest

from guide.doctest import processes
from guide.records.ray import load_visibility
from tests.ray import visibility
from tests.ray.visibility import CASES, CUDA, HIP, ROCR, Case
from tests.support import amd_node

RECORD = load_visibility(visibility.RECORD)
RECORDED = {case.id: case for case in RECORD.cases}
OUTCOMES = {  # who refuses, and what the message says; None: it works
    "none": None,
    "hip-one-replica": None,
    "hip-two-replicas": ("vLLM", f"Inconsistent GPU visibility env vars: {HIP}='0,1' vs {CUDA}='0'"),
    "hip-one-of-two": None,
    "cuda": ("worker 0", "inconsistant values found: 0 and 0,1"),
    "cuda-one-of-two": ("worker 0", "inconsistant values found: 0 and 1"),
    "rocr": ("ray start", f"Please use {HIP} instead of {ROCR}"),
    "rocr-hip": ("worker 0", f"Please don't set {ROCR} when HIP/{CUDA} is set"),
    "rocr-cuda": ("ray start", f"Please use {HIP} instead of {ROCR}"),
    "hip-cuda": ("worker 0", "inconsistant values found: 0 and 0,1"),
    "hip-cuda-differ": ("worker 0", "inconsistant values found: 0 and 1,0"),
    "all-three": ("worker 0", "inconsistant values found: 0 and 0,1"),
    "noset-cuda": ("worker 1", "invalid device ordinal"),
    "noset-rocr": ("worker 1", "invalid device ordinal"),
    "noset-hip": None,
    "noset-hip-rocr": None,
    "override-on-zero": None,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_record_says_what_the_page_says(case: Case) -> None:
    recorded, outcome = RECORDED[case.id], OUTCOMES[case.id]
    assert recorded.variables == case.variables
    if outcome is None:
        assert recorded.problems == []
    else:
        assert recorded.problems[0].startswith(f"{outcome[0]}: ")
        assert outcome[1] in recorded.problems[0]


def test_the_record_is_of_the_installed_releases_and_the_table_of_the_record() -> None:
    assert (RECORD.ray, RECORD.verl) == (importlib.metadata.version("ray"), importlib.metadata.version("verl"))
    assert visibility.TABLE.read_text() == visibility.table(RECORD), "run make record-ray"
    assert RECORD.replaced == visibility.REPLACED


@pytest.mark.parametrize("name", ["none", "hip-two-replicas", "rocr", "all-three"])
def test_a_run_today_gives_the_record(name: str) -> None:
    (case,) = (case for case in CASES if case.id == name)
    assert visibility.run(case) == RECORDED[name]


DRY_RUN = """
import json, os, sys
cases = json.loads(sys.argv[1])
from verl_rocm.worker import adopt, devices
from verl_rocm.worker.problem import Refused
from verl_rocm.worker.wire import Identity
adopt.before_imports(Identity.model_validate_json(os.environ["VERL_ROCM_IDENTITY"]), None)
refusals = {}
for name, variables, size in cases:
    try:
        devices.serve(variables, devices.visible(variables, 2)[:size])
        refusals[name] = None
    except Refused as refused:
        refusals[name] = refused.problem.message
print(json.dumps(refusals))
"""


def test_the_dry_run_refuses_what_a_real_node_refuses_with_the_same_words() -> None:
    cases = [case for case in CASES if set(case.variables) <= set(amd_node.VISIBILITY)]
    questions = json.dumps([[case.id, case.variables, case.tensor_parallel] for case in cases])
    environ = amd_node.environment()
    environ["PYTHONPATH"] += f"{os.pathsep}{amd_node.ROOT}"
    done = processes.run([sys.executable, "-c", DRY_RUN, questions], timeout=120, env=environ)
    refusals = json.loads(done.stdout.splitlines()[-1])
    assert len(refusals) == len(cases) > 10
    for name, message in refusals.items():
        problems = RECORDED[name].problems
        assert bool(message) == bool(problems), name
        if message:
            assert message.partition(": ")[2] in problems[0], name


ACTORS = """
import json, os, ray
ray.init(log_to_driver=False)

@ray.remote(num_gpus=0)
def seen():
    return {name: os.environ[name] for name in ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES") if name in os.environ}

environments = [{"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": value} for value in ("0", "1")]
environments.append(environments[1] | {"RAY_EXPERIMENTAL_NOSET_HIP_VISIBLE_DEVICES": "1"})
print(json.dumps(ray.get([seen.options(runtime_env={"env_vars": names}).remote() for names in environments])))
"""


def test_a_process_without_a_gpu_of_its_own_and_verls_own_server(tmp_path: Path) -> None:
    """Ray empties the variable only where it is told to; verl's real server has what the guide's script says."""
    from tests.ray import environment

    environ = amd_node.environment({HIP: "0,1"})
    script = tmp_path / "actors.py"
    script.write_text(ACTORS)
    with amd_node.ray_node(environ) as address:
        actors = json.loads(amd_node.ask(script, [], environ, address).stdout.splitlines()[-1])
        seen = environment.look(tmp_path, environ, address)
    assert actors == [{HIP: "0,1"}, {HIP: ""}, {HIP: "0,1"}]
    recorded = RECORDED["hip-two-replicas"]
    assert recorded.server is not None
    assert {name: seen.server.get(name) for name in (HIP, CUDA)} == recorded.server.verl
    assert seen.worker[CUDA] == "0"
    assert HIP not in seen.worker
    assert f"vLLM: {seen.engine}" == recorded.problems[0]
