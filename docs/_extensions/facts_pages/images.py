"""Container images: one section each with what it holds and changes, and one table to compare them."""

from __future__ import annotations

from docutils import nodes

from facts_pages import words
from facts_pages.entries import section
from facts_pages.markup import Cell, bullets, entry_link, fields, literal, paragraph, prose, table
from facts_pages.sources import source, sources
from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Dispute, Image, Patch

UNKNOWN = "no source found"
HEAD = ("Image", "ROCm", "torch", "vLLM", "verl", "Published")


def _stated(text: str | None, nothing: str = UNKNOWN) -> nodes.paragraph:
    return paragraph(text or nothing)


def _gone(facts: Facts, patch: Patch) -> list[nodes.Node | str]:
    """Which versions no longer need a patch: those that end the issue which it works around."""
    if patch.issue is None:
        return [" When it can go is stated nowhere."]
    issue = facts.issues[patch.issue]
    ends = " or ".join(words.versions(gone) for gone in issue.fixed_in)
    return [" It works around ", entry_link(issue), f", which {f'ends with {ends}' if ends else 'is open'}."]


def _patch(facts: Facts, patch: Patch) -> nodes.paragraph:
    text = paragraph(*prose(facts, patch.what), *_gone(facts, patch), " ")
    for item in patch.evidence:
        text += source(item).children
    return text


def _conflict(facts: Facts, conflict: Dispute) -> nodes.bullet_list:
    sides = [(f"{side.who}: {side.value}. ", side.evidence) for side in conflict.positions]
    items = [paragraph(text, *(node for item in result for node in source(item).children)) for text, result in sides]
    return bullets([*items, paragraph("What decides: ", *prose(facts, conflict.decides))])


def entry(facts: Facts, image: Image) -> nodes.section:
    """Everything known of one image."""
    variables = [literal(f"{key}={value}") for key, value in image.sets.items()]
    related = [entry_link(facts.issues[issue]) for issue in image.see]
    pairs: list[tuple[str, nodes.Node | None]] = [
        ("For", paragraph(*prose(facts, image.use))),
        ("By", paragraph(image.by if image.published else f"{image.by}; a Dockerfile, no image is published")),
        ("ROCm", _stated(image.rocm)),
        ("Python", _stated(image.python)),
        ("torch", _stated(image.torch)),
        ("vLLM", _stated(image.vllm, "none")),
        ("verl", _stated(image.verl, "none")),
        ("Archs", paragraph(literal(" ".join(image.archs)))),
        ("Sets", bullets(paragraph(one) for one in variables) if variables else None),
        ("Changes", bullets(_patch(facts, patch) for patch in image.patches) if image.patches else None),
        ("Sources disagree", _conflict(facts, image.conflict) if image.conflict else None),
        ("Not known", paragraph("; ".join(image.unknown)) if image.unknown else None),
        ("Known issues", bullets(paragraph(one) for one in related) if related else None),
        ("Checked", paragraph(f"{image.checked}")),
        ("Sources", sources(image.evidence)),
    ]
    return section("image", image.id, literal(image.name), [fields(pairs)])


def compare(facts: Facts) -> nodes.table:
    """All images in one table."""
    return table(HEAD, [_row(image) for image in facts.images.values()])


def _row(image: Image) -> list[Cell]:
    parts = (image.rocm or UNKNOWN, image.torch or UNKNOWN, image.vllm or "none", image.verl or "none")
    cells: list[Cell] = [[literal(image.name)]]
    cells += [[part] for part in parts]
    return [*cells, ["yes" if image.published else "Dockerfile only"]]
