"""Settings: the full entry, and one line of a list."""

from __future__ import annotations

from docutils import nodes

from facts_pages import words
from facts_pages.entries import section, trust, where
from facts_pages.markup import bullets, code, entry_link, fields, literal, paragraph, prose
from facts_pages.sources import sources
from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Advice, Conflict, Default, Knob, Value


def select(facts: Facts, options: dict[str, str]) -> list[Knob]:
    """The knobs of a directive's ``goal`` and ``where`` (one or several words), by name."""
    goals, places = options.get("goal", "").split(), options.get("where", "").split()
    found = [
        knob
        for knob in facts.knobs.values()
        if (not goals or facts.goal[knob.id] in goals) and (not places or knob.where in places)
    ]
    return sorted(found, key=lambda knob: (knob.name.lower(), knob.where))


def entry(facts: Facts, knob: Knob) -> nodes.section:
    """Everything known of one setting."""
    return section(
        "knob",
        knob.id,
        literal(knob.name),
        [
            paragraph(*prose(facts, knob.what, knob)),
            fields(
                [
                    ("Set as", paragraph(f"{words.WHERE[knob.where]}, read by {knob.read_by}")),
                    ("Values", paragraph(*_kind(knob))),
                    ("Default", bullets(_default(knob, d) for d in knob.default)),
                    ("Releases", where(knob.versions, "No limit is known.")),
                    ("Advice", bullets(_advice(facts, knob, a) for a in knob.advice) if knob.advice else None),
                    ("Cost", paragraph(*prose(facts, knob.cost, knob)) if knob.cost else None),
                    ("Sources disagree", _conflict(facts, knob, knob.conflict) if knob.conflict else None),
                    *trust(facts, knob),
                ]
            ),
        ],
    )


def line(facts: Facts, knob: Knob) -> nodes.paragraph:
    """One setting in a list: its name, a link, and its first sentence."""
    place = words.PLACE.get(knob.where, knob.where)
    return paragraph(
        entry_link(knob), f" ({place}): " if place else ": ", *prose(facts, words.sentence(knob.what), knob)
    )


def _kind(knob: Knob) -> list[nodes.Node | str]:
    if knob.choices:
        listed: list[nodes.Node | str] = ["one of "]
        for choice in knob.choices:
            listed += [literal(choice), ", "]
        return listed[:-1]
    return [f"{knob.kind}, in {knob.unit}" if knob.unit else knob.kind]


def value(knob: Knob, given: Value) -> nodes.Node:
    """A value as code if it can be typed, in words if not."""
    return (
        literal(words.shown(given))
        if words.is_value(knob, given)
        else nodes.inline("", "", *code(words.in_words(given)))
    )


def _default(knob: Knob, default: Default) -> nodes.paragraph:
    limits = words.versions(default.versions)
    return paragraph(value(knob, default.value), f", set by {default.set_by}" + (f" ({limits})" if limits else ""))


def _advice(facts: Facts, knob: Knob, advice: Advice) -> nodes.paragraph:
    limits = words.versions(advice.versions)
    made = paragraph(value(knob, advice.value), ", for ", *code(advice.for_whom), f" ({limits}): " if limits else ": ")
    made += prose(facts, advice.why, knob)
    if typed := words.paste(facts, knob, advice.value):
        made += [nodes.Text(" Type "), literal(typed), nodes.Text(".")]
    return made


def _conflict(facts: Facts, knob: Knob, conflict: Conflict) -> nodes.container:
    sides = [
        nodes.container("", paragraph(value(knob, side.value), ", says ", *code(side.who)), sources(side.evidence))
        for side in conflict.positions
    ]
    decides = paragraph("What decides: ", *prose(facts, conflict.decides, knob))
    return nodes.container("", bullets(sides), decides, classes=["fact-conflict"])
