"""Evidence that names a line is compared with that line."""

from __future__ import annotations

from pathlib import Path

from tests.facts.base import write
from tests.tools.release_sources import unpack
from tools import check_evidence
from verl_rocm.facts.evidence import Release
from verl_rocm.facts.load import read


def evidence(line: int, text: str, file: str = "vllm/a.py") -> Release:
    named = {"type": "release", "project": "vllm", "release": "0.3.0", "read": "2026-11-01"}
    return Release.model_validate(named | {"file": file, "line": line, "text": text})


def test_evidence_is_compared_with_the_line_it_names(tmp_path: Path) -> None:
    unpack(tmp_path, {"vllm/a.py": "one\ntwo\n"})
    items = [
        ("x", evidence(2, "two")),
        ("x", evidence(1, "two")),
        ("x", evidence(9, "six")),
        ("x", evidence(1, "a", "b.py")),
    ]
    assert list(check_evidence.compare(tmp_path, items)) == [
        "x: vllm 0.3.0 vllm/a.py:1: 'two' is not on that line; it is on [2]",
        "x: vllm 0.3.0 vllm/a.py:9: 'six' is not on that line; it is on none",
        "x: vllm 0.3.0 b.py:1: no such file in the package",
    ]


def test_evidence_of_advice_and_conflicts_is_compared_too(tmp_path: Path) -> None:
    cited = (
        '{type = "release", project = "vllm", release = "0.3.0", file = "a", line = 1, text = "t", read = 2026-11-01}'
    )
    page = '{type = "page", url = "https://x.test/", read = 2026-11-01}'
    sides = f'{{value = 1, who = "A", evidence = [{cited}]}}, {{value = 2, who = "B", evidence = [{page}]}}'
    settings = f"""\
[[setting]]
id = "a"
name = "VLLM_CHUNK"
where = "env"
read_by = "vllm"
what = "x"
kind = "int"
default = [{{value = 1, set_by = "vllm"}}]
advice = [{{value = 2, for_whom = "x", why = "x", evidence = [{cited}]}}]
conflict = {{positions = [{sides}], decides = "x"}}
evidence = [{cited}]
checked = 2026-11-01
"""
    facts = read(write(tmp_path, settings=settings))
    assert len(check_evidence.cited(facts)["vllm", "0.3.0"]) == 3
    assert check_evidence.cited(facts, ["b"]) == {}
