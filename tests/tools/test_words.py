"""The words that pages must not use."""

from pathlib import Path

import pytest

from tools.check_names import ROOT, word_faults
from tools.names import words


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("For whom: you train with verl.", "page.rst:1: do not write 'For whom:'; write: Use this page if you ..."),
        ("It holds for vLLM 0.30.0.", "page.rst:1: do not write 'It holds for'; write: It applies to"),
        (
            "The engine makes 900 tokens a second.",
            "page.rst:1: do not write 'tokens a second'; write: per second, per step",
        ),
        ("Turn this Knob.", "page.rst:1: do not write 'Knob'; write: setting"),
    ],
)
def test_a_planted_word_is_reported(tmp_path: Path, line: str, fault: str) -> None:
    """Fails when the entry is taken out of `words.toml`, or the search is broken."""
    page = tmp_path / "page.rst"
    page.write_text(line + "\n")
    assert list(words.faults(page, "page.rst", words.load())) == [fault]


@pytest.mark.parametrize(
    "line",
    [
        "Set ``knob`` to 1.",
        "See `the thread <https://example.org/knob>`__.",
        'It prints "Needed: one knob".',
        ":doc:`knob`",
    ],
)
def test_code_links_and_quotations_do_not_count(tmp_path: Path, line: str) -> None:
    page = tmp_path / "page.rst"
    page.write_text(line + "\n")
    assert list(words.faults(page, "page.rst", words.load())) == []


def test_no_page_uses_them() -> None:
    assert word_faults(ROOT) == []
