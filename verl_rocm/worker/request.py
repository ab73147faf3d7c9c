"""What the command sends to its child process."""

from __future__ import annotations

from pydantic import Field

from verl_rocm.part import Part

ROLLOUT = "actor_rollout_ref.rollout"
VISIBILITY = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


class Identity(Part):
    """The GPUs that the child claims to have: ``count`` of one kind in a node.  ``memory_gib`` in GiB (2^30 bytes)."""

    name: str
    arch: str
    memory_gib: int
    pci: str
    compute_units: int
    fp8: str
    count: int


class Placed(Part):
    """A folder with a model's ``config.json``, and where that comes from, in the report's words."""

    directory: str
    source: str


class Request(Part):
    """One launch of verl to be resolved.

    ``models`` are configs by the name that a job gives; ``folder`` is a folder of this run, into which the child may
    put bundled ones that a config file of the user's own names.  ``devices`` are the job's visibility variables,
    ``environment`` what a script exported, ``limit`` seconds;
    ``foreign`` trainers may have keys that verl's own lack, which are left out.
    """

    identity: Identity
    launcher: str
    arguments: tuple[str, ...]
    models: dict[str, Placed]
    folder: str
    rocm: str | None = None
    model: str | None = None
    nodes: int | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    devices: dict[str, str] = Field(default_factory=dict)
    limit: int = 120
    foreign: bool = False


class Requests(Part):
    """All requests of a run; the child imports vLLM once and answers each in a fork."""

    requests: tuple[Request, ...]
