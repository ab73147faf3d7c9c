"""Which names of SGLang's source count as arguments of its server."""

from __future__ import annotations

import pytest

from tools.sglang_arguments import arguments

SOURCE = """\
FIELD: int = 1
class Other:
    no_field: int = 1
class ServerArgs:
    tp_size: int = 1
    dtype: str = "auto"
    NOT_ANNOTATED = 2
    def method(self) -> None:
        local: int = 3
"""


def test_the_annotated_fields_of_the_class() -> None:
    assert arguments(SOURCE) == ["dtype", "tp_size"]


@pytest.mark.parametrize("source", ["", "class ServerArgs:\n    made = 1\n"])
def test_a_release_that_is_built_otherwise_is_an_error(source: str) -> None:
    with pytest.raises(ValueError, match="no class ServerArgs with annotated fields"):
        arguments(source)
