"""The command line where no engine is needed: bad input is one line and code 2."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.verl_rocm.dryrun.samples import result
from verl_rocm.cli import main
from verl_rocm.dryrun import command as dryrun
from verl_rocm.dryrun import compare, engines, gpus, refusals


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["dry-run", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> list[engines.Request]:
    """An engine that answers every request with the sample; the requests that reached it."""
    seen: list[engines.Request] = []

    def resolve(requests: list[engines.Request], python: str, **_: Any) -> dict[str, Any]:
        seen.extend(requests)
        return {"versions": {"vllm": "0.30.0", "verl": "0.9.1"}, "results": [result() for _ in requests]}

    monkeypatch.setattr(engines, "resolve", resolve)
    monkeypatch.setattr(engines, "interpreter", lambda version: "python")
    return seen


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--gpu", "MI999"], "GPU 'MI999' is not known"),
        (["--gpu", "MI300"], "did you mean MI300X"),
        (["--gpus", "0"], "--gpus"),
        (["--gpus", "many"], "--gpus"),
        (["--model", "nobody/has-this"], "neither a directory"),
        (["--rocm", "seven"], "--rocm seven is no release"),
        (["--script", "/nowhere/run.sh"], "is not there"),
        (["--compare", "MI300X"], "write MI300X,MI355X"),
        (["--compare", "torch=1,2"], "write MI300X,MI355X"),
    ],
)
def test_bad_input(
    engine: list[engines.Request],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, out, err = run(capsys, *arguments)
    assert code == 2 and out == ""
    assert says in err and err.count("\n") == 1 and "Traceback" not in err
    assert not engine, "nothing was resolved"


def test_without_an_engine_it_says_how_to_get_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "installed", lambda: None)
    monkeypatch.delenv(engines.ENGINES, raising=False)
    code, _, err = run(capsys, "a=1")
    assert code == 2 and "make dry-run VLLM=0.30.0" in err and err.count("\n") == 1
    code, _, err = run(capsys, "--vllm", "0.8.5", "a=1")
    assert code == 2 and "supported are 0.24.0, 0.30.0, 0.32.0" in err


def test_a_missing_interpreter_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "interpreter", lambda version: "/nowhere/python")
    code, _, err = run(capsys, "a=1")
    assert code == 2 and "/nowhere/python is not there" in err and err.count("\n") == 1


def test_overrides_reach_the_engine_as_they_were_typed(
    engine: list[engines.Request], capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["+a.b=1", "~c", "++d=[1,2]", "--config-name=ppo_megatron_trainer", "e='x y'"]
    code, _, _ = run(capsys, "--gpu", "MI300X,MI355X", "--gpus", "4", *given)
    assert code in (0, 1)
    assert [request.arguments for request in engine] == [given, given]
    assert [request.identity["arch"] for request in engine] == ["gfx942", "gfx950"]
    assert [request.identity["count"] for request in engine] == [4, 4]


def test_json_holds_findings_and_issues(engine: list[engines.Request], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--json", "--rocm", "7.2.1")
    made = json.loads(out)
    assert made["versions"]["vllm"] == "0.30.0"
    assert {"findings", "issues", "journey", "gpu"} <= set(made["results"][0])
    assert code == dryrun.code(made["results"])


def test_the_report_says_that_nothing_ran(engine: list[engines.Request], capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--all")
    assert "nothing ran on a GPU" in " ".join(out.split())
    assert "MI300X (gfx942, 192 GiB)" in out and "max_num_seqs" in out


def test_exit_codes() -> None:
    waiting = {"state": "awaits", "confidence": "confirmed"}
    clean = {
        "findings": [{"level": "note"}],
        "issues": [waiting | {"confidence": "reported"}, waiting | {"state": "avoided"}],
    }
    assert dryrun.code([clean]) == 0
    assert dryrun.code([clean, {"findings": [{"level": "finding"}], "issues": []}]) == 1
    assert dryrun.code([{"findings": [], "issues": [waiting]}]) == 1
    assert dryrun.code([clean, {"problem": {}}]) == 2


def test_a_refusal_that_is_a_known_issue_says_the_fix() -> None:
    from verl_rocm.facts.load import load

    message = "max_model_len (32768) should be less than or equal to max_position_embeddings (4096)"
    assert "max-model-len-refused" in refusals.known_fix(load(), message)
    assert refusals.known_fix(load(), "something that nobody has seen yet") == ""


def test_a_comparison_shows_only_what_differs() -> None:
    def made(**changes: Any) -> dict[str, Any]:
        return result(**changes) | {"findings": [], "issues": []}

    assert compare.differences([made(), made()]) == []
    other = made(gpu={"name": "MI355X", "fp8": "e4m3fn"}, resolved={"max_num_batched_tokens": 16384})
    assert dict(compare.differences([made(), other])) == {
        "FP8 format": ["e4m3fnuz", "e4m3fn"],
        "resolved: max_num_batched_tokens": ["8192", "16384"],
    }


def test_the_identity_is_that_of_the_facts() -> None:
    made = gpus.identity("mi355x", 8)
    assert (made["name"], made["arch"], made["memory_gib"], made["fp8"]) == ("MI355X", "gfx950", 288, "e4m3fn")


def test_the_identity_does_not_act_outside_a_dry_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VERL_ROCM_IDENTITY", raising=False)
    monkeypatch.syspath_prepend(str(engines.IDENTITY))
    import importlib

    plugin, smi = importlib.import_module("verl_rocm_identity"), importlib.import_module("amdsmi")
    assert plugin.platform() is None
    with pytest.raises(smi.AmdSmiException, match="no dry run"):
        smi.amdsmi_init()


def test_the_identity_folder_is_on_no_path_but_the_childs() -> None:
    import sys

    assert str(engines.IDENTITY) not in sys.path
    assert engines.environment({"PYTHONPATH": "/mine"})["PYTHONPATH"].split(":")[0] == str(engines.IDENTITY)
    assert Path(engines.IDENTITY, "verl_rocm_identity-1.dist-info", "entry_points.txt").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "--bad"], "verl-rocm check --help"),
        (["dry-run", "--gpu"], "verl-rocm dry-run --help"),
        (["nope"], "; verl-rocm --help"),
    ],
)
def test_bad_usage_names_the_command_whose_help_lists_the_options(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


def test_a_key_of_other_releases_is_named_with_them() -> None:
    said = refusals.elsewhere("verl has no key data.reward_fn_key", "9.9.9")
    assert re.fullmatch(r"verl [\d.a-z]+ to [\d.]+ has this key, 9.9.9 does not", said)
    assert refusals.elsewhere("verl has no key data.reward_fn_key", "0.9.1") == ""
    assert refusals.elsewhere("verl has no key no.such.key", "0.9.1") == ""
