"""hadolint finds nothing in the guide's Dockerfile, and finds what was planted in it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tools.environment import ROOT

FILE = ROOT / "snippets" / "how_to" / "run_in_a_container.Dockerfile"
HADOLINT = shutil.which("hadolint")
pytestmark = pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")


def lint(text: str) -> list[str]:
    """The codes of hadolint's findings."""
    done = subprocess.run([str(HADOLINT), "--no-color", "-"], input=text, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return sorted({line.split()[1] for line in done.stdout.splitlines()})


def test_nothing_is_found() -> None:
    assert lint(FILE.read_text()) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("ARG BASE=vllm/vllm-openai-rocm:v0.30.0\nFROM ${BASE}", "FROM vllm/vllm-openai-rocm", "DL3006"),
        ("ARG BASE=vllm/vllm-openai-rocm:v0.30.0\nFROM ${BASE}", "FROM vllm/vllm-openai-rocm:latest", "DL3007"),
        ("RUN PIP_NO_CACHE_DIR=1", "RUN pip install --no-cache-dir verl && PIP_NO_CACHE_DIR=1", "DL3013"),
        ("RUN PIP_NO_CACHE_DIR=1", "RUN pip install verl==0.9.1\nRUN PIP_NO_CACHE_DIR=1", "DL3042"),
        ("RUN PIP_NO_CACHE_DIR=1", "RUN cd /tmp && PIP_NO_CACHE_DIR=1", "DL3003"),
        ("WORKDIR /workspace", "WORKDIR workspace", "DL3000"),
        ('CMD ["bash"]', "CMD bash", "DL3025"),
    ],
)
def test_a_planted_fault_is_found(old: str, new: str, code: str) -> None:
    text = FILE.read_text()
    assert old in text
    assert code in lint(text.replace(old, new))
