"""Answers for the named GPU of a dry run, in the words of AMD's ``amdsmi``; this folder is on the path only then.

Every answer is an identity (name, arch, memory, ids, count, links) from ``VERL_ROCM_IDENTITY``, which the dry run
writes from ``verl_rocm/facts/gpus.toml``.  Nothing is measured, and no device is opened.

Importing it also keeps vLLM's compiled libraries out of the process: see ``compiled_libraries`` beside it.
"""

from __future__ import annotations

import json
import os
from enum import IntEnum
from typing import TypedDict

import compiled_libraries
from compiled_libraries import VARIABLE

compiled_libraries.keep_out()


class AmdSmiException(Exception):
    """What the real library raises; here: there is no dry run."""


class AmdSmiLibraryException(AmdSmiException):
    """Name of the real library."""


class AmdSmiInitFlags(IntEnum):
    """What to look for; Ray asks for AMD GPUs."""

    INIT_AMD_GPUS = 2


class AmdSmiMemoryType(IntEnum):
    """Kinds of memory; vLLM asks for VRAM."""

    VRAM = 0


class AmdSmiLinkType(IntEnum):
    """Kinds of link; 2 is XGMI in ROCm 7's library."""

    AMDSMI_LINK_TYPE_INTERNAL = 0
    AMDSMI_LINK_TYPE_PCIE = 1
    AMDSMI_LINK_TYPE_XGMI = 2


class Identity(TypedDict):
    """The part of ``verl_rocm.worker.wire.Identity`` that is answered; this folder imports nothing of the package."""

    name: str
    arch: str
    memory_gib: int
    pci: str
    compute_units: int
    count: int


class AsicInfo(TypedDict):
    """The fields of the real answer that vLLM and Ray read."""

    market_name: str
    vendor_id: int
    device_id: str
    target_graphics_version: str
    num_compute_units: int


class LinkType(TypedDict):
    """The real answer."""

    hops: int
    type: AmdSmiLinkType


def _identity() -> Identity:
    text = os.environ.get(VARIABLE)
    if not text:
        raise AmdSmiException("no dry run: this amdsmi answers only with the identity of a named GPU")
    identity: Identity = json.loads(text)
    return identity


def amdsmi_init(*_: object) -> None:
    """Refuse outside a dry run."""
    _identity()


def amdsmi_shut_down() -> None:
    """Nothing was opened."""


def amdsmi_get_processor_handles() -> list[int]:
    """One handle a GPU of the node."""
    return list(range(_identity()["count"]))


def amdsmi_get_gpu_asic_info(_handle: int) -> AsicInfo:
    """Name, device id and arch."""
    gpu = _identity()
    return {
        "market_name": f"AMD Instinct {gpu['name']}",
        "vendor_id": 0x1002,
        "device_id": gpu["pci"],
        "target_graphics_version": gpu["arch"],
        "num_compute_units": gpu["compute_units"],
    }


def amdsmi_get_gpu_memory_total(_handle: int, _kind: AmdSmiMemoryType) -> int:
    """Memory in bytes."""
    return int(_identity()["memory_gib"]) * 2**30


def amdsmi_get_gpu_id(_handle: int) -> int:
    """PCI device id, which Ray turns into the node's accelerator type."""
    return int(_identity()["pci"], 16)


def amdsmi_get_gpu_device_uuid(handle: int) -> str:
    """A made-up id that differs between GPUs."""
    return f"dry-run-{handle}"


def amdsmi_topo_get_link_type(_one: int, _other: int) -> LinkType:
    """GPUs of a node of this guide are linked directly."""
    return {"hops": 1, "type": AmdSmiLinkType.AMDSMI_LINK_TYPE_XGMI}


def amdsmi_topo_get_numa_node_number(_handle: int) -> int:
    """All GPUs on the first NUMA node: no decision that is reported depends on it."""
    return 0
