"""Rules that need more than one entry: ranges against known releases, links between entries, contradictions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from .base import Facts, FactsError
from .releases import release
from .schema import Entry, Issue, Setting
from .versions import COMPONENTS, Versions, contains, empty


def check(facts: Facts) -> None:
    """Raise ``FactsError`` on the first fault."""
    for fault in faults(facts):
        raise FactsError(fault)


def faults(facts: Facts) -> Iterator[str]:
    """All faults, one line each."""
    settings: dict[tuple[str, str], str] = {}
    for setting in facts.settings.values():
        where = f"{facts.file[setting.id]}: setting {setting.id!r}"
        if other := settings.get((setting.where, setting.name)):
            yield f"{where}: {setting.name} is setting {other!r} already; merge the two"
        settings[setting.where, setting.name] = setting.id
        yield from (f"{where}: {fault}" for fault in _of_setting(facts, setting))
    for issue in facts.issues.values():
        yield from (f"{facts.file[issue.id]}: issue {issue.id!r}: {f}" for f in _of_issue(facts, issue))
    entries: list[Entry] = [*facts.settings.values(), *facts.issues.values()]
    for entry in entries:
        for other in entry.see:
            if other not in facts.file:
                yield f"{facts.file[entry.id]}: {entry.id!r}: see names {other!r}, which is no entry; correct the id"
    yield from _contradictions(facts)
    yield from _of_images(facts)


def known_archs(facts: Facts) -> set[str]:
    """Architectures of the listed GPUs, and those that the newest vLLM release can be built for."""
    newest = facts.releases.get("vllm", ())[-1:]
    built = (arch for v in newest for arch in release("vllm", v, facts.folder).stated("rocm", "archs") or ())
    return {*(gpu.arch for gpu in facts.gpus.values()), *built}


def _of_images(facts: Facts) -> Iterator[str]:
    for image in facts.images.values():
        where = f"verl_rocm/facts/images.toml: image {image.id!r}"
        yield from (f"{where}: {fault}" for fault in _ranges(facts, "archs", Versions(archs=tuple(image.archs))))
        named = [patch.issue for patch in image.patches if patch.issue]
        for issue in (*named, *image.see):
            if issue not in facts.issues:
                yield f"{where}: names {issue!r}, which is no known issue; correct the id"


def _of_setting(facts: Facts, setting: Setting) -> Iterator[str]:
    for field, part in [("versions", setting.versions), *(("default", d.versions) for d in setting.default)]:
        yield from _ranges(facts, field, part)
    for advice in setting.advice:
        yield from _ranges(facts, "advice", advice.versions)
    for one, two in combinations(setting.default, 2):
        if one.set_by == two.set_by and one.value != two.value and _overlap(facts, one.versions, two.versions):
            yield f"defaults {one.value!r} and {two.value!r} of {one.set_by} hold on the same versions; limit them"
    for first, second in combinations(setting.advice, 2):
        same = first.for_whom == second.for_whom and first.value != second.value
        if same and _overlap(facts, first.versions, second.versions):
            yield (
                f"advices {first.value!r} and {second.value!r} for {first.for_whom!r} hold on the same versions; "
                "limit their versions, tell the readers apart, or state a conflict"
            )


def _of_issue(facts: Facts, issue: Issue) -> Iterator[str]:
    yield from _ranges(facts, "versions", issue.versions)
    for fixed in issue.fixed_in:
        if not fixed.ranges() and not fixed.archs:
            yield "fixed_in names no version; write which release ends it, or leave it out"
        for component, spec in fixed.ranges().items():
            affected = getattr(issue.versions, component)
            alone = len(fixed.ranges()) == 1 and not fixed.archs  # with two conditions each may hold while affected
            if alone and affected and _common(facts, component, affected, spec):
                yield f"versions and fixed_in overlap in {component} ({affected} and {spec}); part them"
    for fix in issue.fixes:
        for name in fix.settings:
            if facts.place(name) is None:
                yield f"fix sets {name!r}, which is no setting; add the setting or correct the name"
    for conflict in issue.conflicts_with:
        if conflict.id not in facts.issues:
            yield f"conflicts_with names {conflict.id!r}, which is no issue; correct the id"


def _ranges(facts: Facts, field: str, versions: Versions) -> Iterator[str]:
    for component, spec in versions.ranges().items():
        known = facts.releases.get(component)
        if known and not any(contains(spec, r) for r in known):
            yield f"{field}: no known {component} release lies in {spec!r}; correct the range or run `make releases`"
    archs = known_archs(facts) if versions.archs else set()
    for arch in versions.archs:
        if archs and arch not in archs:
            yield f"{field}: arch {arch!r} is in gpus.toml no more than in vLLM's list; correct it or add the GPU"


def _common(facts: Facts, component: str, one: str, two: str) -> bool:
    both = f"{one},{two}"
    known = facts.releases.get(component, ())
    return not empty(both) and (not known or any(contains(both, r) for r in known))


def _overlap(facts: Facts, one: Versions, two: Versions) -> bool:
    if any(_disjoint(facts, component, one, two) for component in COMPONENTS):
        return False
    return not (one.archs and two.archs) or bool(set(one.archs) & set(two.archs))


def _disjoint(facts: Facts, component: str, one: Versions, two: Versions) -> bool:
    ranges = getattr(one, component), getattr(two, component)
    return None not in ranges and not _common(facts, component, *ranges)


def _contradictions(facts: Facts) -> Iterator[str]:
    """Pairs of issues on the same versions whose fixes exclude each other, unless one says what decides."""
    for one, two in combinations(facts.issues.values(), 2):
        decided = two.id in {c.id for c in one.conflicts_with} or one.id in {c.id for c in two.conflicts_with}
        if decided or not _overlap(facts, one.versions, two.versions):
            continue
        for fault in (*_opposite_settings(facts, one, two), *_opposite_upgrades(facts, one, two)):
            yield (
                f"{facts.file[two.id]}: issue {two.id!r}: {fault} on the same versions; limit the versions, or add "
                f"conflicts_with = [{{id = {one.id!r}, decides = ...}}]"
            )


def _opposite_settings(facts: Facts, one: Issue, two: Issue) -> Iterator[str]:
    """One setting, two values; to unset a variable is a value too."""
    values = {(name, str(value)) for fix in one.fixes for name, value in fix.settings.items()}
    for fix in two.fixes:
        for name, value in fix.settings.items():
            others = sorted(text for other, text in values if other == name)
            if others and str(value) not in others:
                yield f"sets {name} to {value!r}, but {one.id!r} ({facts.file[one.id]}) sets it to {others[0]}"


def _opposite_upgrades(facts: Facts, one: Issue, two: Issue) -> Iterator[str]:
    """No release of a component is in a fix of both, though each names one."""
    for component in COMPONENTS:
        ours, theirs = _upgrades(one, component), _upgrades(two, component)
        if ours and theirs and not any(_common(facts, component, mine, other) for mine in ours for other in theirs):
            yield (
                f"wants {component} {' or '.join(theirs)}, but {one.id!r} ({facts.file[one.id]}) "
                f"wants {' or '.join(ours)}"
            )


def _upgrades(issue: Issue, component: str) -> list[str]:
    specs = [getattr(fix.upgrade, component) for fix in issue.fixes if fix.upgrade is not None]
    return [spec for spec in specs if spec is not None]
