"""What a comparison of reports leaves out, on the outputs that the pages show: known issues, and nothing else."""

import pytest

from tests.support.reports import settled
from tools.environment import ROOT

OUTPUTS = [
    ROOT / "snippets" / name for name in ("how_to/check_your_recipe_output.txt", "tutorial/train_with_grpo_output.txt")
]


@pytest.mark.parametrize("shown", [file.read_text(encoding="utf-8") for file in OUTPUTS], ids=["recipe", "lesson"])
def test_a_setting_counts_and_a_known_issue_does_not(shown: str) -> None:
    assert settled(shown.replace("up to 256", "up to 128")) != settled(shown)
    assert settled(shown.replace("enforce_eager", "enforce_lazy")) != settled(shown)
    assert settled(shown.replace("upgrade to vLLM 0.32.0", "upgrade to vLLM 0.40.0")) == settled(shown)
