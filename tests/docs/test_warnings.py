"""Each rule for blocks, with the smallest guide that breaks it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.docs.guide import Guide, include

MYST_INCLUDE = """\
```{literalinclude} /snippets/circle.py
:start-after: "# [start:area]"
:end-before: "# [end:area]"
```
"""


def snippet(old: str, new: str) -> Callable[[Guide], None]:
    return lambda guide: guide.edit("snippets/circle.py", old, new)


def page(text: str) -> Callable[[Guide], None]:
    return lambda guide: guide.write("docs/other.rst", f"Other\n=====\n\n{text}\n")


def myst(text: str) -> Callable[[Guide], None]:
    return lambda guide: guide.write("docs/other.md", f"# Other\n\n{text}\n")


# A broken marker also takes away a region that the page shows and a test claims: that is reported too.
LOST = ["block.unknown", "block.unknown"]
CASES: dict[str, tuple[Callable[[Guide], None], list[str]]] = {
    "marker behind code": (
        snippet("    return", "    x = 0  # [start:more]\n    return"),
        ["block.leak", "block.not_whole_line"],
    ),
    "marker in capitals": (
        snippet("import math", "# [start:Area]\nimport math"),
        ["block.leak", "block.not_whole_line"],
    ),
    "start without end": (snippet("# [end:area]\n", ""), ["block.unpaired", *LOST]),
    "end without start": (snippet("# [start:area]\n", ""), ["block.unpaired", *LOST]),
    "two of a name": (
        lambda guide: guide.write("snippets/circle.py", "# [start:area]\nx = 1\n# [end:area]\n" * 2),
        ["block.duplicate", *LOST],
    ),
    "one in another": (
        snippet("import math\n", "import math\n# [start:inner]\nimport re\n# [end:inner]\n"),
        ["block.leak", "block.nested", "block.unpaired"],
    ),
    "empty": (snippet("import math\n", "\n"), ["block.empty", *LOST]),
    "wide": (snippet("import math", "import math" + 9 * "  # comment"), ["block.wide"]),
    "unknown region": (page(include("volume")), ["block.unknown"]),
    "unknown file": (page(include("area", file="sphere.py")), ["block.unknown"]),
    "whole file": (page(".. literalinclude:: /snippets/circle.py"), ["block.leak", "block.unknown"]),
    "markers of two regions": (page(include("area").replace("[end:area]", "[end:imports]")), ["block.unknown"]),
    "claim on no region": (
        lambda guide: guide.edit("tests/snippets/test_circle.py", '"area"', '"area", "volume"'),
        ["block.unknown"],
    ),
    "marker shown": (page(".. code-block:: python\n   :class: sketch\n\n   # [start:area]"), ["block.leak"]),
    "lines": (page(include("area", extra="   :lines: 1\n")), ["block.lines"]),
    "emphasized lines": (page(include("area", extra="   :emphasize-lines: 1\n")), ["block.lines"]),
    "typed code": (page(".. code-block:: python\n\n   print(1)"), ["block.no_snippet"]),
    "literal block": (page("So::\n\n   print(1)"), ["block.no_snippet"]),
    "typed code in Markdown": (myst("```python\nprint(1)\n```"), ["block.no_snippet"]),
    "file outside snippets": (page(include("area", file="../conf.py")), ["block.no_snippet"]),
    "region on no page": (
        lambda guide: guide.write("docs/page.rst", f"Page\n====\n\n{include('area')}"),
        ["block.not_shown"],
    ),
    "region without a test": (
        lambda guide: guide.edit("tests/snippets/test_circle.py", ', "area"', ""),
        ["block.not_tested"],
    ),
    "no record": (lambda guide: guide.write("records/gfx942.json", '{"machine_class": "gfx942"'), ["block.record"]),
}


def test_a_sound_guide_has_no_warning(guide: Guide) -> None:
    guide.write("docs/other.md", f"# Other\n\n{MYST_INCLUDE}\n")
    guide.write("docs/more.rst", "More\n====\n\n>>> 1 + 1\n2\n\n.. code-block:: python\n   :class: sketch\n\n   ...\n")
    assert guide.build() == []
    assert guide.status == 0


@pytest.mark.parametrize("case", CASES)
def test_a_violation_fails_the_build_with_its_own_type(guide: Guide, case: str) -> None:
    break_it, expected = CASES[case]
    break_it(guide)
    kinds = [kind for kind in guide.build() if kind.startswith("block.")]
    assert kinds == sorted(expected), guide.lines
    assert guide.status == 1


def test_every_type_has_a_case() -> None:
    types = {kind for _, kinds in CASES.values() for kind in kinds}
    named = {"not_whole_line", "unpaired", "duplicate", "nested", "empty", "unknown", "leak", "lines", "wide"}
    assert types == {f"block.{kind}" for kind in named | {"no_snippet", "not_shown", "not_tested", "record"}}


def test_an_unquoted_marker_in_markdown_is_reported(guide: Guide) -> None:
    """YAML takes ``#`` as a comment; Sphinx alone would show the whole file."""
    guide.write("docs/other.md", "# Other\n\n" + MYST_INCLUDE.replace('"', ""))
    assert "block.unknown" in guide.build()


def test_a_warning_names_file_and_line(guide: Guide) -> None:
    guide.edit("snippets/circle.py", "import math\n", "\n")
    guide.write("docs/other.rst", "Other\n=====\n\n.. code-block:: python\n\n   print(1)\n")
    guide.build()
    assert any(line.startswith("snippets/circle.py:1: WARNING: region 'imports' holds no line") for line in guide.lines)
    assert any(line.startswith("docs/other.rst:4: WARNING: this block comes from no snippet") for line in guide.lines)


@pytest.mark.parametrize("parallel", [0, 2])
def test_an_unchanged_second_build_still_reports(guide: Guide, parallel: int) -> None:
    guide.write("docs/other.rst", "Other\n=====\n\n.. code-block:: python\n\n   print(1)\n")
    guide.edit("tests/snippets/test_circle.py", ', "area"', "")
    expected = ["block.no_snippet", "block.not_tested"]
    assert guide.build(parallel=parallel) == expected
    assert guide.build(parallel=parallel) == expected
    assert guide.read == []
    assert guide.status == 1
