"""Reading a machine: a tree of files that plays the kernel, and packages that play broken ones."""

import stat
import sys
from pathlib import Path

import pytest

from verl_rocm.check import packages, probes
from verl_rocm.check.machine import Amdsmi, Machine, Torch

MI300X = "cpu_cores_count 0\nsimd_count 1216\ngfx_target_version 90402\nvendor_id 4098\ndevice_id 29857\n"
BANK = "heap_type {}\nsize_in_bytes {}\nflags 0\n"
BOOT = "BOOT_IMAGE=/vmlinuz root=UUID=1 ro iommu=pt amd_iommu=on pci=realloc=off secret=x\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Files as a kernel with one MI300X would have them; made for the tests."""
    nodes = tmp_path / "sys/class/kfd/kfd/topology/nodes"
    write(nodes / "0/properties", "cpu_cores_count 96\nsimd_count 0\ngfx_target_version 0\n")
    write(nodes / "2/properties", MI300X)
    write(nodes / "2/mem_banks/0/properties", BANK.format(1, 192 * 2**30))
    write(nodes / "2/mem_banks/1/properties", BANK.format(0, 64 * 2**30))
    write(nodes / "10/properties", MI300X.replace("90402", "90010").replace("29857", "29704"))
    write(tmp_path / "sys/module/amdgpu/version", "6.16.6\n")
    write(tmp_path / "opt/rocm/.info/version", "7.2.0-43\n")
    write(tmp_path / "proc/cmdline", BOOT)
    write(tmp_path / "proc/sys/kernel/numa_balancing", "1\n")
    write(tmp_path / "dev/kfd", "")
    write(tmp_path / "dev/dri/renderD128", "")
    for node in ("node0", "node1"):
        write(tmp_path / f"sys/devices/system/node/{node}/cpulist", "0\n")
    return tmp_path


def test_a_machine_is_read_from_its_files(root: Path) -> None:
    machine = probes.probe([], {}, root)
    assert [(gpu.arch, gpu.pci, gpu.memory_gib) for gpu in machine.gpus] == [
        ("gfx942", "0x74a1", 192.0),
        ("gfx90a", "0x7408", None),
    ]
    assert (machine.driver_loaded, machine.driver, machine.rocm) == (True, "6.16.6", "7.2.0")
    assert machine.boot == ("iommu=pt", "amd_iommu=on", "pci=realloc=off")
    assert (machine.numa_nodes, machine.numa_balancing, machine.hidden_gpus) == (2, 1, 0)
    assert {name: node.opens for name, node in machine.nodes.items()} == {"/dev/kfd": True, "/dev/dri/renderD128": True}
    assert machine.amd
    assert Machine.model_validate_json(machine.model_dump_json()) == machine


def test_nodes_that_a_container_may_not_read_are_counted(root: Path) -> None:
    (root / "sys/class/kfd/kfd/topology/nodes/2/properties").unlink()  # the kernel refuses to open it
    gpus, hidden = probes.gpus(root)
    assert ([gpu.arch for gpu in gpus], hidden) == (["gfx90a"], 1)


def test_an_empty_machine_has_nothing(tmp_path: Path) -> None:
    machine = probes.probe([], {}, tmp_path)
    assert not machine.amd
    assert (machine.driver, machine.rocm, machine.shm_gib, machine.numa_balancing, machine.boot) == (
        None,
        None,
        None,
        None,
        (),
    )


@pytest.mark.parametrize(
    ("number", "name"), [(90402, "gfx942"), (90500, "gfx950"), (90010, "gfx90a"), (110501, "gfx1151")]
)
def test_archs_are_named_as_rocm_does(number: int, name: str) -> None:
    assert probes.arch(number) == name


@pytest.mark.parametrize(("text", "version"), [("7.2.0-43", "7.2.0"), ("10.0.0", "10.0.0"), ("", None), ("main", None)])
def test_rocm_says_its_release(tmp_path: Path, text: str, version: str | None) -> None:
    write(tmp_path / "opt/rocm/.info/version", text)
    assert probes.rocm(tmp_path, {}, {}) == version


def test_rocm_path_and_the_sdk_packages_count_too(tmp_path: Path) -> None:
    write(tmp_path / "opt/rocm-7.1/.info/version", "7.1.1")
    assert probes.rocm(tmp_path, {"ROCM_PATH": "/opt/rocm-7.1"}, {}) == "7.1.1"
    assert probes.rocm(tmp_path, {"ROCM_PATH": ""}, {"rocm-sdk-core": "7.13.0a1"}) == "7.13.0a1"


def test_only_variables_that_matter_are_recorded_and_no_secret() -> None:
    environ = {"VLLM_API_KEY": "hunter2", "AWS_SECRET": "x", "NCCL_DEBUG": "WARN", "VLLM_EMPTY": "", "HOME": "/root"}
    assert probes.variables(environ, ["NCCL_DEBUG"]) == {
        "NCCL_DEBUG": "WARN",
        "VLLM_API_KEY": "(set)",
        "VLLM_EMPTY": "",
    }


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which this process and its children import."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("amdsmi", "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("", None),
        ("raise KeyError('libamd_smi.so')", "KeyError: 'libamd_smi.so'"),
        ("raise SystemExit(3)", "ended with 3"),
        ("import os; os.abort()", "ended with -6"),
        ("import time; time.sleep(60)", "no answer within 1 s"),
    ],
    ids=["works", "KeyError", "exit", "abort", "hangs"],
)
def test_amdsmi(importable: Path, monkeypatch: pytest.MonkeyPatch, source: str, error: str | None) -> None:
    monkeypatch.setattr(packages, "PATIENCE", 1.0)
    write(importable / "amdsmi/__init__.py", source)
    assert packages.amdsmi() == Amdsmi(installed=True, error=error)


def test_no_amdsmi(importable: Path) -> None:
    assert packages.amdsmi() == Amdsmi(installed=False)


@pytest.mark.parametrize(
    ("source", "torch"),
    [
        (
            "__version__ = '2.11.0+rocm7.2.0'\ncuda: str | None = None\nhip: str | None = '7.2.26015-fc0010cf6a'\n",
            Torch(version="2.11.0+rocm7.2.0", hip="7.2.26015-fc0010cf6a"),
        ),
        ("__version__ = '2.13.0+cpu'\nhip = None\n", Torch(version="2.13.0+cpu")),
        ("__version__ = '2.13.0+cu130'\ncuda = '13.0'\n", Torch(version="2.13.0+cu130", cuda="13.0")),
        ("raise ImportError\n", None),
        ("this is no Python\n", None),
    ],
    ids=["HIP", "CPU", "CUDA", "without version", "broken"],
)
def test_torch_is_read_and_not_imported(importable: Path, source: str, torch: Torch | None) -> None:
    write(importable / "torch/__init__.py", "raise RuntimeError('imported')")
    write(importable / "torch/version.py", source)
    assert packages.torch() == torch


def test_versions_are_those_of_the_metadata(importable: Path) -> None:
    write(
        importable / "vllm-0.22.1rc1.dev5.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: vllm\nVersion: 0.22.1rc1.dev5+g18d87a87d.rocm714\n",
    )
    write(importable / "ray-2.dist-info/METADATA", "Metadata-Version: 2.1\nName: ray\n")  # no version
    versions = packages.installed()
    assert versions["vllm"] == "0.22.1rc1.dev5+g18d87a87d.rocm714"
    assert "ray" not in versions


def test_access_is_asked_and_not_tried(tmp_path: Path) -> None:
    kfd = write(tmp_path / "dev/kfd", "")
    kfd.chmod(stat.S_IRUSR)
    before = kfd.stat().st_atime_ns
    device = probes.device_files(tmp_path)["/dev/kfd"]
    assert device.group
    assert kfd.stat().st_atime_ns == before
