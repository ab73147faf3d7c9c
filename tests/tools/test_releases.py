"""How contracts are stored, what counts as drift, and when the alarm rings. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.facts.base import write
from tests.tools.release_sources import VLLM, unpack
from tools import releases
from tools.contracts import store, vllm
from tools.contracts.drift import changes
from verl_rocm.facts.contract import Contract


def test_a_stored_contract_has_a_name_a_line(tmp_path: Path) -> None:
    of_vllm = vllm.contract(unpack(tmp_path / "source", VLLM))
    store.write(tmp_path / "facts" / "1.0.json", {"release": "1.0"} | of_vllm)
    text = (tmp_path / "facts" / "1.0.json").read_text()
    assert '  "seed": {"default": 0},\n' in text
    assert store.read(tmp_path / "facts", "1.0") == {"release": "1.0"} | of_vllm
    assert store.stored(tmp_path / "facts") == ["1.0"]
    with pytest.raises(FileNotFoundError, match=r"facts 2\.0 is not stored; run `make releases`"):
        store.read(tmp_path / "facts", "2.0")


def test_changes() -> None:
    old: Contract = {
        "whole": True,
        "engine_args": {"a": {"default": 1}, "b": {}, "d": {"values": [1, 2]}},
        "env": {"V": {"by": ["python"]}},
    }
    new: Contract = {
        "whole": True,
        "engine_args": {"a": {"default": 2}, "c": {}, "d": {"values": [2, 3, 4]}},
        "env": {},
    }
    assert [str(c) for c in changes("vllm", old, new)] == [
        "engine_args.a: default 1 -> 2",
        "engine_args.b: gone (was {})",
        "engine_args.c: new ({})",
        "engine_args.d: values without 1; with 3, 4",
        "env.V: gone (was {'by': ['python']})",
    ]
    assert [c.name for c in changes("vllm", old, new | {"whole": False})] == [
        "a",
        "b",
        "c",
        "d",
    ]  # a wheel cannot tell of V


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stored base with one release each, and a newer vLLM on the index that drops an argument the guide uses."""
    folder = write(tmp_path / "facts")
    monkeypatch.setattr(releases, "FACTS", folder)
    monkeypatch.setattr(
        releases, "releases", lambda project, _: {"vllm": ["0.3.0", "0.4.0"], "verl": ["0.9.1"]}[project]
    )
    newer = {
        "release": "0.4.0",
        "whole": True,
        "engine_args": {"new": {}},
        "env": {"VLLM_CHUNK": {"by": ["c++"], "default": "256"}},
    }
    monkeypatch.setattr(releases, "extract", lambda *_: newer)
    (tmp_path / "docs").mkdir()
    (tmp_path / "snippets").mkdir()
    return tmp_path


def test_the_alarm_rings_for_what_the_guide_uses(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert releases.main(["--check"]) == 1
    out = capsys.readouterr().out
    assert "vllm 0.3.0 -> 0.4.0: 3 changes, 2 of names the guide uses" in out
    assert (
        "  engine_args.enforce_eager: gone (was {'default': False}) (named in verl_rocm/facts/settings/sleep.toml)"
        in out
    )
    assert "engine_args.new" not in out
    assert "verl 0.9.1: stored, so nothing is new" in out
    assert not (index / "facts" / "vllm" / "0.4.0.json").exists()


def test_the_alarm_is_silent_once_the_release_is_stored(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert releases.main([]) == 0
    assert (index / "facts" / "vllm" / "0.4.0.json").exists()
    assert releases.main(["--check"]) == 0
    assert "vllm 0.4.0: stored, so nothing is new" in capsys.readouterr().out
    assert releases.main(["--between", "vllm", "0.3.0", "0.4.0"]) == 1
    assert releases.main(["--between", "vllm", "0.3.0", "0.5.0"]) == 2
    assert capsys.readouterr().err == "releases: vllm 0.5.0 is not stored; run `make releases`\n"
