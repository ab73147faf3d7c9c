"""Fixtures of the tests that build pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.guide import Guide


@pytest.fixture
def guide(tmp_path: Path) -> Guide:
    """A sound little guide."""
    return Guide(tmp_path)
