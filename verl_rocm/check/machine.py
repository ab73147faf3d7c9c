"""The description of a machine: what ``check`` reads, writes with ``--json`` and takes back with ``--machine``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

LARGEST = 1_000_000  # bytes of a description; a real one has about 3000
HIDDEN = "(set)"  # stands for a value that no rule needs, so that a description can be sent to others
Text = Annotated[str, Field(max_length=4000)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Limit = Annotated[int, Field(ge=-1, le=2**63)]


class BadInput(Exception):
    """Input that cannot be used; one line that says where, what and what to do."""


class Part(BaseModel):
    """A part of a description: closed, so that a misspelt field is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Device(Part):
    """One GPU as the kernel shows it. ``pci`` is the device id under vendor 0x1002, ``memory_gib`` in GiB (2^30)."""

    arch: Text
    pci: Text | None = None
    memory_gib: Annotated[float, Field(ge=0)] | None = None


class Torch(Part):
    """PyTorch by its own version file; ``hip`` and ``cuda`` are None where it was built without."""

    version: Text
    hip: Text | None = None
    cuda: Text | None = None


class Amdsmi(Part):
    """The Python package amdsmi. ``error``: the last line of a failed import."""

    installed: bool
    error: Text | None = None


class Node(Part):
    """A device file: whether this user may open it for reading and writing, and the group it belongs to."""

    opens: bool
    group: Text | None = None


class Limits(Part):
    """Soft limits of this process: locked memory and stack in bytes, open files; -1 is unlimited."""

    memlock: Limit | None = None
    stack: Limit | None = None
    nofile: Limit | None = None


class Machine(Part):
    """Everything that the rules know of a machine. None and empty mean that it could not be read."""

    format: Literal[1] = 1
    kernel: Text = ""
    boot: tuple[Text, ...] = ()
    container: bool = False
    gpus: tuple[Device, ...] = ()
    hidden_gpus: Count = 0
    driver_loaded: bool = False
    driver: Text | None = None
    rocm: Text | None = None
    python: Text = ""
    packages: dict[Text, Text] = Field(default_factory=dict)
    torch: Torch | None = None
    amdsmi: Amdsmi = Amdsmi(installed=False)
    environment: dict[Text, Text] = Field(default_factory=dict)
    limits: Limits = Limits()
    shm_gib: Annotated[float, Field(ge=0)] | None = None
    nodes: dict[Text, Node] = Field(default_factory=dict)
    numa_nodes: Count = 0
    numa_balancing: int | None = None

    @property
    def amd(self) -> bool:
        """Whether this is a machine with AMD GPUs, visible or not."""
        return bool(self.gpus or self.hidden_gpus or self.driver_loaded)


def load(path: Path) -> Machine:
    """A recorded description: the output of ``check --json``, or its ``machine`` part alone.

    Raises:
        BadInput: no such file, or no description of a machine.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path}: larger than {LARGEST // 1000} kB; give the output of `check --json`")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}; give the output of `check --json`") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{path}: no JSON; give the output of `check --json`") from None
    if isinstance(data, dict) and isinstance(data.get("machine"), dict):
        data = data["machine"]
    if not isinstance(data, dict) or "format" not in data:
        raise BadInput(f"{path}: no description of a machine; give the output of `check --json`")
    try:
        return Machine.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:80]
        raise BadInput(f"{path}: {where!r}: {first['msg'].lower()}; record it again with `check --json`") from None
