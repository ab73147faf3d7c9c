"""Rules that need more than one entry: ranges against known releases, links between entries, contradictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from .base import Facts, FactsError
from .releases import release
from .schema import Entry, Fix, Issue, Knob
from .versions import COMPONENTS, Versions, contains, empty


def check(facts: Facts) -> None:
    """Raise ``FactsError`` on the first fault."""
    for fault in faults(facts):
        raise FactsError(fault)


def faults(facts: Facts) -> Iterator[str]:
    """All faults, one line each."""
    settings: dict[tuple[str, str], str] = {}
    for knob in facts.knobs.values():
        where = f"{facts.file[knob.id]}: knob {knob.id!r}"
        if other := settings.get((knob.where, knob.name)):
            yield f"{where}: {knob.name} is knob {other!r} already; merge the two"
        settings[knob.where, knob.name] = knob.id
        yield from (f"{where}: {fault}" for fault in _of_knob(facts, knob))
    for issue in facts.issues.values():
        yield from (f"{facts.file[issue.id]}: issue {issue.id!r}: {f}" for f in _of_issue(facts, issue))
    entries: list[Entry] = [*facts.knobs.values(), *facts.issues.values()]
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


def _of_knob(facts: Facts, knob: Knob) -> Iterator[str]:
    for field, part in [("versions", knob.versions), *(("default", d.versions) for d in knob.default)]:
        yield from _ranges(facts, field, part)
    for advice in knob.advice:
        yield from _ranges(facts, "advice", advice.versions)
    for one, two in combinations(knob.default, 2):
        if one.set_by == two.set_by and one.value != two.value and _overlap(facts, one.versions, two.versions):
            yield f"defaults {one.value!r} and {two.value!r} of {one.set_by} hold on the same versions; limit them"
    for first, second in combinations(knob.advice, 2):
        same = first.for_whom == second.for_whom and first.value != second.value
        if same and _overlap(facts, first.versions, second.versions):
            yield (
                f"advices {first.value!r} and {second.value!r} for {first.for_whom!r} hold on the same versions; "
                "limit their versions, tell the readers apart, or state a conflict"
            )


def _of_issue(facts: Facts, issue: Issue) -> Iterator[str]:
    yield from _ranges(facts, "versions", issue.versions)
    for gone in issue.gone:
        if not gone.ranges() and not gone.archs:
            yield "gone names no version; write which release ends it, or leave gone out"
        for component, spec in gone.ranges().items():
            affected = getattr(issue.versions, component)
            alone = len(gone.ranges()) == 1 and not gone.archs  # with two conditions each may hold while affected
            if alone and affected and _common(facts, component, affected, spec):
                yield f"versions and gone overlap in {component} ({affected} and {spec}); part them"
    names = {k.name for k in facts.knobs.values()}
    for fix in issue.fixes:
        if fix.setting is not None and fix.setting not in names:
            yield f"fix sets {fix.setting!r}, which is no knob; add the knob or correct the name"
    for against in issue.against:
        if against.id not in facts.issues:
            yield f"against names {against.id!r}, which is no issue; correct the id"


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
    """Pairs of issues whose fixes give one setting two values on the same versions, unless one says what decides."""
    for one, two in combinations(facts.issues.values(), 2):
        decided = two.id in {a.id for a in one.against} or one.id in {a.id for a in two.against}
        opposites = [] if decided else list(_opposites(one.fixes, two.fixes))
        if not opposites or not _overlap(facts, one.versions, two.versions):
            continue
        for mine, yours in opposites:
            yield (
                f"{facts.file[two.id]}: issue {two.id!r}: sets {yours.setting} to {yours.value!r}, but {one.id!r} "
                f"({facts.file[one.id]}) sets it to {mine.value!r} on the same versions; limit the versions, or add "
                f"against = [{{id = {one.id!r}, decides = ...}}]"
            )


def _opposites(ours: Iterable[Fix], theirs: Iterable[Fix]) -> Iterator[tuple[Fix, Fix]]:
    for mine in ours:
        for yours in theirs:
            if mine.setting and mine.setting == yours.setting and str(mine.value) != str(yours.value):
                yield mine, yours
