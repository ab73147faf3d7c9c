"""Settings: the full entry, and one line of a list."""

from __future__ import annotations

from docutils import nodes

from facts_pages import words
from facts_pages.entries import section, trust, where
from facts_pages.markup import bullets, code, entry_link, fields, literal, paragraph, prose
from facts_pages.sources import sources
from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Advice, Default, Dispute, Setting, Value
from verl_rocm.paste import UNSET, is_typed, shown


def select(facts: Facts, options: dict[str, str]) -> list[Setting]:
    """The settings of a directive's ``goal`` and ``where`` (one or several words), by name."""
    goals, places = options.get("goal", "").split(), options.get("where", "").split()
    items = [
        setting
        for setting in facts.settings.values()
        if (not goals or facts.goal[setting.id] in goals) and (not places or setting.where in places)
    ]
    return sorted(items, key=lambda setting: (setting.name.lower(), setting.where))


def entry(facts: Facts, setting: Setting) -> nodes.section:
    """Everything known of one setting."""
    return section(
        "setting",
        setting.id,
        literal(setting.name),
        [
            paragraph(*prose(facts, setting.what, setting)),
            fields(
                [
                    ("Set as", paragraph(f"{words.WHERE[setting.where]}, read by {setting.read_by}")),
                    ("Values", paragraph(*_kind(setting))),
                    ("Default", bullets(_default(setting, d) for d in setting.default)),
                    ("Releases", where(setting.versions, "No limit is known.")),
                    ("Advice", bullets(_advice(facts, setting, a) for a in setting.advice) if setting.advice else None),
                    ("Cost", paragraph(*prose(facts, setting.cost, setting)) if setting.cost else None),
                    ("Sources disagree", _conflict(facts, setting, setting.conflict) if setting.conflict else None),
                    *trust(facts, setting),
                ]
            ),
        ],
    )


def line(facts: Facts, setting: Setting) -> nodes.paragraph:
    """One setting in a list: its name, a link, and its first sentence."""
    place = words.PLACE.get(setting.where, setting.where)
    return paragraph(
        entry_link(setting), f" ({place}): " if place else ": ", *prose(facts, words.sentence(setting.what), setting)
    )


def _kind(setting: Setting) -> list[nodes.Node | str]:
    if setting.choices:
        listed: list[nodes.Node | str] = ["one of "]
        for choice in setting.choices:
            listed += [literal(choice), ", "]
        return listed[:-1]
    return [f"{setting.kind}, in {setting.unit}" if setting.unit else setting.kind]


def value(setting: Setting, values: Value) -> nodes.Node:
    """A value as code if it can be typed, in words if not."""
    return (
        literal(shown(values))
        if is_typed(setting.where, values, setting.kind) and values != UNSET
        else nodes.inline("", "", *code(words.in_words(values)))
    )


def _default(setting: Setting, default: Default) -> nodes.paragraph:
    limits = words.versions(default.versions)
    return paragraph(value(setting, default.value), f", set by {default.set_by}" + (f" ({limits})" if limits else ""))


def _advice(facts: Facts, setting: Setting, advice: Advice) -> nodes.paragraph:
    limits = words.versions(advice.versions)
    text = paragraph(
        value(setting, advice.value), ", for ", *code(advice.for_whom), f" ({limits}): " if limits else ": "
    )
    text += prose(facts, advice.why, setting)
    if typed := words.typed(facts, setting, advice.value):
        text += [nodes.Text(" Type "), literal(typed), nodes.Text(".")]
    return text


def _conflict(facts: Facts, setting: Setting, conflict: Dispute) -> nodes.container:
    sides = [
        nodes.container("", paragraph(value(setting, side.value), ", says ", *code(side.who)), sources(side.evidence))
        for side in conflict.positions
    ]
    decides = paragraph("What decides: ", *prose(facts, conflict.decides, setting))
    return nodes.container("", bullets(sides), decides, classes=["fact-conflict"])
