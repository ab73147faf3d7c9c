"""Version ranges of a record: PEP 440 specifiers a component, plus GPU architectures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated

from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

COMPONENTS = ("vllm", "verl", "rocm", "torch", "ray", "driver")


@lru_cache(maxsize=4096)
def parse(version: str) -> Version | None:
    """A version as a build prints it, without its local part (``0.33.0+rocm70``); None if it is no PEP 440 version."""
    try:
        return Version(Version(version.strip()).public)
    except InvalidVersion:
        return None


def _holds(spec: Specifier, version: Version) -> bool:
    bound = spec.version
    match spec.operator:  # PEP 440 puts 0.22.1rc1 neither in <0.22.1 nor in >=0.22.1; here it is on one side
        case ">=":
            return version >= Version(bound)
        case "<=":
            return version <= Version(bound)
        case ">":
            return version > Version(bound)
        case "<":
            return version < Version(bound)
    return spec.contains(version, prereleases=True)


def contains(spec: str, version: str) -> bool:
    """Whether ``version`` lies in ``spec``; development builds count as lower than their release."""
    parsed = parse(version)
    return parsed is not None and all(_holds(s, parsed) for s in SpecifierSet(spec))


def empty(spec: str) -> bool:
    """Whether no version at all can satisfy ``spec``, for instance ``>=2,<1``."""
    bounds = [Version(s.version.removesuffix(".*")) for s in SpecifierSet(spec)]
    around = [Version("0"), Version("99999")]
    for bound in bounds:
        around += [bound, Version(f"{bound.base_version}.post1"), Version(f"{bound.base_version}.dev0")]
    return not any(all(_holds(s, v) for s in SpecifierSet(spec)) for v in around)


def _specifier(text: str) -> str:
    try:
        specifiers = SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f'{text!r} is no version range; write it like ">=0.11.1,<0.25.1"') from None
    if not len(specifiers):
        raise ValueError("the version range is empty text; leave the component out if every version is meant")
    if empty(text):
        raise ValueError(f"no version can satisfy {text!r}; correct the bounds")
    return text


Range = Annotated[str, AfterValidator(_specifier)]


class Versions(BaseModel):
    """Where a record holds. A component that is left out means every version, no ``archs`` every GPU."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vllm: Range | None = None
    verl: Range | None = None
    rocm: Range | None = None
    torch: Range | None = None
    ray: Range | None = None
    driver: Range | None = None
    archs: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _archs_once(self) -> Versions:
        if len(set(self.archs)) != len(self.archs):
            raise ValueError("an arch is listed twice; keep one")
        return self

    def ranges(self) -> dict[str, str]:
        """The components that are limited, with their specifiers."""
        return {c: getattr(self, c) for c in COMPONENTS if getattr(self, c) is not None}

    def match(self, installed: Mapping[str, str | None]) -> bool | None:
        """Whether the record holds for a machine.

        Args:
            installed: versions by component, and ``arch``. A missing, None or unreadable version is unknown.

        Returns:
            False if something known lies outside, None if that cannot be decided, else True.
        """
        unknown = False
        for component, spec in self.ranges().items():
            have = installed.get(component)
            if not have or parse(have) is None:
                unknown = True
            elif not contains(spec, have):
                return False
        if self.archs:
            arch = installed.get("arch")
            if not arch:
                unknown = True
            elif arch.split(":")[0] not in self.archs:  # torch says gfx942:sramecc+:xnack-
                return False
        return None if unknown else True

    def releases(self, component: str, known: Iterable[str]) -> list[str]:
        """The ``known`` releases of ``component`` that lie in the range, in the given order."""
        spec = getattr(self, component)
        return [k for k in known if spec is None or contains(spec, k)]
