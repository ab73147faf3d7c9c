"""Limits and settings of the host or container, on machines with AMD GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from verl_rocm.check.findings import Finding, of_issue, of_knob
from verl_rocm.check.situation import Situation

# Where to start complaining is our choice: the size in the launch line of ROCm's installation page for PyTorch,
# https://rocm.docs.amd.com/projects/install-on-linux/en/docs-6.2.0/how-to/3rd-party/pytorch-install.html
SHM_GIB = 8.0


def limited(s: Situation, made: Finding, on_host: str) -> Finding:
    """A limit that Docker sets inside a container, and a command outside of one."""
    if s.machine.container:
        return made
    return made.model_copy(update={"do": tuple(way.model_copy(update={"line": on_host}) for way in made.do)})


def shared_memory(s: Situation) -> Iterator[Finding]:
    """/dev/shm is smaller than in AMD's launch line."""
    size = s.machine.shm_gib
    if s.machine.amd and size is not None and size < SHM_GIB:
        made = of_knob(s, "docker-shm-size", "/dev/shm is small", f"/dev/shm has {size:g} GiB", "2048g")
        yield limited(s, made, "sudo mount -o remount,size=90% /dev/shm")


def locked_memory(s: Situation) -> Iterator[Finding]:
    """Memory that may be pinned is limited."""
    limit = s.machine.limits.memlock
    if s.machine.amd and limit is not None and limit != -1:
        said = f"`ulimit -l` is {limit // 1024} KiB"
        made = of_knob(s, "docker-ulimit-memlock", "Locked memory is limited", said, -1)
        yield limited(s, made, "ulimit -l unlimited")


def stack(s: Situation) -> Iterator[Finding]:
    """The stack is smaller than in verl's own runs."""
    limit, wanted = s.machine.limits.stack, s.facts.knobs["docker-ulimit-stack"].advice[0].value
    if s.machine.amd and limit is not None and isinstance(wanted, int) and -1 < limit < wanted:
        title, said = "The stack is smaller than in verl's CI", f"`ulimit -s` is {limit // 1024} KiB"
        made = of_knob(s, "docker-ulimit-stack", title, said, wanted, "note")
        yield limited(s, made, f"ulimit -s {wanted // 1024}")


def open_files(s: Situation) -> Iterator[Finding]:
    """Each allocation of virtual memory holds a file descriptor in some ROCm releases."""
    limit, wanted = s.machine.limits.nofile, str(s.facts.knobs["docker-ulimit-nofile"].advice[0].value)
    enough = int(wanted.partition(":")[0])
    if s.machine.amd and limit is not None and -1 < limit < enough and s.awaits("hipmemcreate-holds-file-descriptors"):
        said = f"`ulimit -n` is {limit}, ROCm {s.versions['rocm']}"
        yield of_issue(s, "hipmemcreate-holds-file-descriptors", said)


def numa(s: Situation) -> Iterator[Finding]:
    """The kernel moves memory between NUMA nodes."""
    if s.machine.amd and s.machine.numa_balancing and s.machine.numa_nodes > 1:
        said = f"kernel.numa_balancing is {s.machine.numa_balancing}, {s.machine.numa_nodes} NUMA nodes"
        yield of_knob(s, "numa-balancing", "NUMA balancing is on", said, 0)


def iommu(s: Situation) -> Iterator[Finding]:
    """RCCL looks for pass-through mode on the kernel's command line."""
    several = len(s.machine.gpus) > 1
    if several and "iommu=pt" not in s.machine.boot and s.awaits("iommu-pt-missing"):
        said = "iommu=pt is not on the kernel's command line"
        yield of_issue(s, "iommu-pt-missing", said)


RULES = (shared_memory, locked_memory, stack, open_files, numa, iommu)
