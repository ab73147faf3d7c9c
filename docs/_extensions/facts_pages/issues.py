"""Known issues: the full entry, and one line of a list."""

from __future__ import annotations

from docutils import nodes

from facts_pages import words
from facts_pages.entries import section, trust, where
from facts_pages.markup import bullets, entry_link, fields, literal, paragraph, prose
from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Fix, Issue
from verl_rocm.paste import Target, lines


def select(facts: Facts, options: dict[str, str]) -> list[Issue]:
    """The issues of a directive's ``goal`` and ``group`` (one or several words), in the order of their files."""
    goals, groups = options.get("goal", "").split(), options.get("group", "").split()
    return [
        issue
        for issue in facts.issues.values()
        if (not goals or facts.goal[issue.id] in goals) and (not groups or issue.group in groups)
    ]


def entry(facts: Facts, issue: Issue) -> nodes.section:
    """Everything known of one issue."""
    symptoms = bullets((paragraph(literal(text)) for text in issue.symptoms), "fact-errors")
    fixes = [nodes.list_item("", _fix(facts, issue, fix)) for fix in issue.fixes]
    conflicts = bullets(
        paragraph(entry_link(facts.issues[c.id]), " asks for the opposite. What decides: ", *prose(facts, c.decides))
        for c in issue.conflicts_with
    )
    return section(
        "issue",
        issue.id,
        nodes.Text(issue.title),
        [
            paragraph(*prose(facts, issue.description, issue)),
            fields(
                [
                    ("Error text", symptoms if issue.symptoms else paragraph("None: it is silent.")),
                    ("Cause", paragraph(*prose(facts, issue.cause, issue))),
                    ("How to tell", paragraph(*prose(facts, issue.diagnosis, issue))),
                    ("Fix", nodes.enumerated_list("", *fixes, enumtype="arabic", suffix=".")),
                    ("Conflicts with", conflicts if issue.conflicts_with else None),
                    ("Happens with", where(issue.versions, "No limit is known.")),
                    ("Gone with", paragraph(_fixed_in(issue))),
                    *trust(facts, issue),
                ]
            ),
        ],
        issue.symptoms,
    )


def line(facts: Facts, issue: Issue) -> nodes.paragraph:
    """One issue in a list: its title, a link, and where it happens."""
    limits = words.versions(issue.versions)
    return paragraph(entry_link(issue), f" ({limits})" if limits else "")


def _fixed_in(issue: Issue) -> str:
    ends = [words.versions(versions) for versions in issue.fixed_in]
    return ", or ".join(ends) if ends else "Open: no release is known to end it."


def _fix(facts: Facts, issue: Issue, fix: Fix) -> nodes.paragraph:
    """A fix in words, the releases that it needs, and its lines to paste; a line leads to its setting."""
    text = paragraph(*prose(facts, fix.text, issue))
    if fix.upgrade is not None:
        text += nodes.Text(f" Needs {words.versions(fix.upgrade)}.")
    pasted = lines(facts, fix.settings, Target.SHELL)
    named = [entry for name in fix.settings if (entry := facts.setting(name))]
    for number, line in enumerate([*pasted, *([fix.command] if fix.command else [])]):
        own = named[number] if len(named) == len(pasted) and number < len(named) else None
        text += [nodes.Text(" "), entry_link(own, literal(line)) if own else literal(line)]
    return text
