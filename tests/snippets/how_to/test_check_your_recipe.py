"""The commands of the page on the dry run: run as they stand, and compared with the output that the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from guide.regions import scan_tree
from tests.support.reports import settled

ROOT = Path(__file__).parents[3]
FILE = "how_to/check_your_recipe.sh"
OUTPUT = "how_to/check_your_recipe_output.txt"
REGIONS, _ = scan_tree(ROOT / "snippets")


def run(region: str) -> tuple[int, str]:
    """Exit code and output of one block, with the page's width and this Python as ``python``."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("VLLM_", "TORCH_COMPILE_", "TOKENIZERS_"))
    }
    environment |= {"COLUMNS": "100", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(ROOT)
    command = ["bash", "-c", REGIONS[f"{FILE}:{region}"].text]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout


def shown(region: str) -> str:
    return settled(REGIONS[f"{OUTPUT}:{region}"].text)


@pytest.mark.block("how_to/check_your_recipe.sh", "ask", evidence="dry run")
@pytest.mark.block("how_to/check_your_recipe_output.txt", "ask_output", evidence="dry run")
def test_the_recipe_of_the_page() -> None:
    pytest.importorskip("vllm")
    code, report = run("ask")
    assert code == 1, "the recipe has a finding"
    assert "capture sizes end at 64 and max_num_seqs is 256" in " ".join(report.split())
    assert settled(report) == shown("ask_output")


@pytest.mark.block("how_to/check_your_recipe.sh", "compare", evidence="dry run")
@pytest.mark.block("how_to/check_your_recipe_output.txt", "compare_output", evidence="dry run")
def test_the_comparison_of_the_page() -> None:
    pytest.importorskip("vllm")
    _, report = run("compare")
    assert re.search(r"FP8 format\s+MI250X\s+none\s+MI300X\s+e4m3fnuz\s+MI355X\s+e4m3fn\s", report)
    assert settled(report) == shown("compare_output")
