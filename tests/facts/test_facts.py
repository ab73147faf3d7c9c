"""The real base: it loads, its settings agree with the contracts, and nobody wrote a contract by hand."""

from __future__ import annotations

import json

import pytest

from tools.contracts.store import dumps
from verl_rocm.facts import __main__ as command
from verl_rocm.facts.agree import disagreements
from verl_rocm.facts.base import FactsError
from verl_rocm.facts.load import load
from verl_rocm.facts.releases import HERE, known, release


def test_it_loads_and_every_page_of_it_has_content() -> None:
    facts = load()
    assert facts.gpus and facts.settings and facts.issues
    assert {setting.where for setting in facts.settings.values()} >= {"verl", "vllm", "env"}


def test_settings_agree_with_the_contracts() -> None:
    assert list(disagreements(load())) == []


def test_the_command_prints_every_fault(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: object) -> None:
        raise FactsError("verl_rocm/facts/settings/x.toml: setting 'a': wrong; mend it")

    assert command.main() == 0
    assert f"{len(load().settings)} settings, {len(load().issues)} known issues" in capsys.readouterr().out
    monkeypatch.setattr(command, "read", broken)
    assert command.main() == 2
    assert capsys.readouterr().err == "verl_rocm/facts/settings/x.toml: setting 'a': wrong; mend it\n"


@pytest.mark.parametrize("project", ["vllm", "verl"])
def test_contracts_are_as_the_program_writes_them(project: str) -> None:
    assert known(project)[0] in ("0.8.4", "0.3.0.post0")
    for version in known(project):
        text = (HERE / project / f"{version}.json").read_text(encoding="utf-8")
        content = json.loads(text)
        assert content["release"] == version
        assert text == dumps(content), f"{project} {version} was edited by hand; run `make releases`"


@pytest.mark.parametrize(
    ("version", "refused", "graphs"),
    [("0.8.4", True, None), ("0.11.0", True, "FULL_AND_PIECEWISE"), ("0.11.1", False, "FULL_AND_PIECEWISE")],
)
def test_contracts_hold_what_is_known_of_these_releases(version: str, refused: bool, graphs: str | None) -> None:
    contract = release("vllm", version)
    assert contract.stated("rocm", "sleep_mode") is not refused
    assert contract.stated("graphs", "default_mode") == graphs
    assert contract.engine_argument("disable_mm_preprocessor_cache") is not None
    assert contract.reads("VLLM_GPU_LANG") is False
    assert contract.reads("PYTORCH_ROCM_ARCH") is True
    assert (contract.reads("VLLM_ROCM_SLEEP_MEM_CHUNK_SIZE") is True) is not refused


def test_a_release_that_is_not_stored() -> None:
    with pytest.raises(KeyError, match=r"^.vllm 0\.0\.1 is not stored; run `make releases`.$"):
        release("vllm", "0.0.1")
