"""Variables of vLLM's or verl's name that the resolved release does not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from verl_rocm.facts.base import Facts
from verl_rocm.facts.releases import readers, release
from verl_rocm.facts.schema import Issue
from verl_rocm.finding import COMPONENTS, Finding, Remedy, of_issue, remedy, site
from verl_rocm.paste import UNSET, Target, paste

ID = "variable-not-read"
PAGE = site("reference/dry-run-report", ID)


def last_reader(facts: Facts, name: str, versions: Mapping[str, str]) -> str | None:
    """The last release that read a variable which the installed one does not; empty if no stored one did.

    None: it is read, or nobody can tell, or it is a name of the user's own.
    """
    project = name.partition("_")[0].lower()
    known, version = facts.releases.get(project, ()), versions.get(project, "")
    if version not in known or release(project, version, facts.folder).reads(name) is not False:
        return None
    if reading := readers(project, name, facts.folder):
        return reading[-1]
    return None if project == "verl" else ""  # users name variables of their own scripts like VERL_HOME


def replacement(facts: Facts, name: str, versions: Mapping[str, str]) -> str:
    """The engine argument of the installed release that has the variable's name; empty if there is none."""
    argument = name.removeprefix("VLLM_").lower()
    known = versions.get("vllm", "") in facts.releases["vllm"] and name.startswith("VLLM_")
    return argument if known and release("vllm", versions["vllm"], facts.folder).engine_argument(argument) else ""


def entry(facts: Facts, name: str) -> Issue | None:
    """The known issue of ignored settings that names the variable."""
    ignored = (issue for issue in facts.issues.values() if issue.group == "setting-ignored")
    return next((issue for issue in ignored if name in issue.applies_when.environment_names()), None)


def unread(facts: Facts, versions: Mapping[str, str], exported: Mapping[str, str]) -> Iterator[Finding]:
    """A finding for each, with the release that last read it and what replaced it.

    ``exported`` are the variables that the user set.  One of a known issue goes by that issue's id.
    """
    for name, value in exported.items():
        last = last_reader(facts, name, versions) if value.strip() else None
        if last is None:
            continue
        project, argument, issue = (
            name.partition("_")[0].lower(),
            replacement(facts, name, versions),
            entry(facts, name),
        )
        ways = [Remedy(text="Leave it out.", lines=(paste(facts, name, UNSET, Target.SHELL) or f"unset {name}",))]
        if argument:
            fixes = [fix for fix in (issue.fixes if issue else ()) if argument in fix.settings]
            named = [remedy(facts, fix, Target.OVERRIDE) for fix in fixes]
            ways = [*(named or [Remedy(text=f"The engine argument {argument} replaced it.")]), *ways]
        reader = f"{last} was the last release to read it" if last else "no release that this guide knows does"
        title = f"{name}={value} does nothing: {COMPONENTS[project]} {versions[project]} does not read it; {reader}"
        finding = of_issue(facts, issue, Target.OVERRIDE, "") if issue else Finding(id=ID, title="", url=PAGE)
        yield finding.model_copy(update={"title": title, "remedies": tuple(ways)})
