"""Known issues: the full entry, and one line of a list."""

from __future__ import annotations

from docutils import nodes

from facts_pages import words
from facts_pages.entries import section, trust, where
from facts_pages.markup import bullets, entry_link, fields, literal, paragraph, prose
from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Fix, Issue


def select(facts: Facts, options: dict[str, str]) -> list[Issue]:
    """The issues of a directive's ``goal`` and ``symptom`` (one or several words), in the order of their files."""
    goals, symptoms = options.get("goal", "").split(), options.get("symptom", "").split()
    return [
        issue
        for issue in facts.issues.values()
        if (not goals or facts.goal[issue.id] in goals) and (not symptoms or issue.symptom in symptoms)
    ]


def entry(facts: Facts, issue: Issue) -> nodes.section:
    """Everything known of one issue."""
    errors = bullets((paragraph(literal(text)) for text in issue.errors), "fact-errors")
    fixes = [nodes.list_item("", _fix(facts, issue, fix)) for fix in issue.fixes]
    against = bullets(
        paragraph(entry_link(facts.issues[a.id]), " asks for the opposite. What decides: ", *prose(facts, a.decides))
        for a in issue.against
    )
    return section(
        "issue",
        issue.id,
        nodes.Text(issue.title),
        [
            paragraph(*prose(facts, issue.sees, issue)),
            fields(
                [
                    ("Error text", errors if issue.errors else paragraph("None: it is silent.")),
                    ("Cause", paragraph(*prose(facts, issue.cause, issue))),
                    ("How to tell", paragraph(*prose(facts, issue.tell, issue))),
                    ("Fix", nodes.enumerated_list("", *fixes, enumtype="arabic", suffix=".")),
                    ("Against", against if issue.against else None),
                    ("Happens with", where(issue.versions, "No limit is known.")),
                    ("Gone with", paragraph(_gone(issue))),
                    *trust(facts, issue),
                ]
            ),
        ],
        issue.errors,
    )


def line(facts: Facts, issue: Issue) -> nodes.paragraph:
    """One issue in a list: its title, a link, and where it happens."""
    limits = words.versions(issue.versions)
    return paragraph(entry_link(issue), f" ({limits})" if limits else "")


def _gone(issue: Issue) -> str:
    ends = [words.versions(gone) for gone in issue.gone]
    return ", or ".join(ends) if ends else "Open: no release is known to end it."


def _fix(facts: Facts, issue: Issue, fix: Fix) -> nodes.paragraph:
    made = paragraph(*prose(facts, fix.text, issue))
    if fix.upgrade is not None:
        made += nodes.Text(f" Needs {words.versions(fix.upgrade)}.")
    if fix.setting is None or fix.value is None:
        return made
    knob = facts.knob(fix.setting)
    if knob is None:
        return made
    typed = words.paste(facts, knob, fix.value)
    text = literal(typed or f"{knob.name}: {words.in_words(fix.value)}")
    made += [nodes.Text(" Set "), entry_link(knob, text), nodes.Text(".")]
    return made
