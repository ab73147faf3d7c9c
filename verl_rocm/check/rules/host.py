"""Limits and settings of the host or container, on machines with AMD GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from verl_rocm.check.rules.settings import of_entry
from verl_rocm.check.situation import Situation
from verl_rocm.finding import Finding

# Where to start complaining is our choice: the size in the launch line of ROCm's installation page for PyTorch,
# https://rocm.docs.amd.com/projects/install-on-linux/en/docs-6.2.0/how-to/3rd-party/pytorch-install.html
SHM_GIB = 8.0


def limited(s: Situation, finding: Finding, on_host: str) -> Finding:
    """A limit that Docker sets inside a container, and a command outside of one."""
    if s.machine.container:
        return finding
    return finding.model_copy(update={"remedies": (finding.remedies[0].model_copy(update={"lines": (on_host,)}),)})


def shared_memory(s: Situation) -> Iterator[Finding]:
    """/dev/shm is smaller than in AMD's launch line."""
    size = s.machine.shm_gib
    if s.machine.amd and size is not None and size < SHM_GIB:
        finding = of_entry(s, "docker-shm-size", "/dev/shm is small", f"/dev/shm has {size:g} GiB", "2048g")
        yield limited(s, finding, "sudo mount -o remount,size=90% /dev/shm")


def locked_memory(s: Situation) -> Iterator[Finding]:
    """Memory that may be pinned is limited."""
    limit = s.machine.limits.memlock
    if s.machine.amd and limit is not None and limit != -1:
        seen = f"`ulimit -l` is {limit // 1024} KiB"
        finding = of_entry(s, "docker-ulimit-memlock", "Locked memory is limited", seen, -1)
        yield limited(s, finding, "ulimit -l unlimited")


def stack(s: Situation) -> Iterator[Finding]:
    """The stack is smaller than in verl's own runs."""
    limit, advised = s.machine.limits.stack, s.facts.settings["docker-ulimit-stack"].advice[0].value
    if s.machine.amd and limit is not None and isinstance(advised, int) and -1 < limit < advised:
        title, seen = "The stack is smaller than in verl's CI", f"`ulimit -s` is {limit // 1024} KiB"
        finding = of_entry(s, "docker-ulimit-stack", title, seen, advised, "note")
        yield limited(s, finding, f"ulimit -s {advised // 1024}")


def numa(s: Situation) -> Iterator[Finding]:
    """The kernel moves memory between NUMA nodes."""
    if s.machine.amd and s.machine.numa_balancing and s.machine.numa_nodes > 1:
        seen = f"kernel.numa_balancing is {s.machine.numa_balancing}, {s.machine.numa_nodes} NUMA nodes"
        yield of_entry(s, "numa-balancing", "NUMA balancing is on", seen, 0)


RULES = (shared_memory, locked_memory, stack, numa)
