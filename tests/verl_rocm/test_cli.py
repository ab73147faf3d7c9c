"""The command line where no engine is needed: bad input is one line and code 2."""

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.verl_rocm.dryrun.samples import GPU, MI355X, report, resolution
from verl_rocm import environments
from verl_rocm.cli import main
from verl_rocm.dryrun import compare, engines, formats, gpus, refusals, render
from verl_rocm.dryrun.command import Format, show
from verl_rocm.dryrun.patch import continued, to_paste
from verl_rocm.dryrun.report import DryRun, Match, RefusedJob
from verl_rocm.finding import ISSUES, Finding, Remedy, site
from verl_rocm.worker.wire import ROLLOUT, Answers, Kind, Problem, Request


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["dry-run", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe without a width, whatever a terminal or a runner of tests has set."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """An engine that answers every request with the sample; the requests that reached it."""
    seen: list[Request] = []

    def resolve(requests: list[Request], python: str, **_: Any) -> Answers:
        seen.extend(requests)
        versions = {"vllm": "0.30.0", "verl": "0.9.1"}
        return Answers(versions=versions, import_seconds=0, answers=tuple(resolution() for _ in requests))

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
    engine: list[Request],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, out, err = run(capsys, *arguments)
    assert code == 2 and out == ""
    assert says in err and err.startswith("error: ") and err.count("\n") <= 2 and "Traceback" not in err
    assert not engine, "nothing was resolved"


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without an engine, and the folder where one would be built."""
    monkeypatch.setattr(engines, "installed", lambda: None)
    monkeypatch.delenv(engines.ENGINES, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "verl-rocm" / "engines"


def test_without_an_engine_it_says_how_to_get_one(no_engine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "a=1")
    assert code == 2 and "or `verl-rocm engine`, which builds one" in err and err.count("\n") == 2
    code, _, err = run(capsys, "--vllm", "0.24.0", "a=1")
    assert code == 2 and "`verl-rocm engine 0.24.0`" in err
    code, _, err = run(capsys, "--vllm", "0.8.5", "a=1")
    assert code == 2 and "supported are 0.24.0, 0.30.0, 0.32.0" in err
    assert not no_engine.exists()


def test_another_installed_release_is_named_as_the_reason(
    no_engine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engines, "installed", lambda: "0.28.0")
    assert "error: vLLM 0.28.0 is not supported\nhint: " in run(capsys, "a=1")[2]


def test_an_engine_that_was_built_is_taken_until_its_lock_changes(no_engine: Path) -> None:
    store = engines.store()
    assert store.folder == no_engine and engines.existing("0.30.0") is None
    python = no_engine / "cpu-0.30.0" / "bin" / "python"
    python.parent.mkdir(parents=True)
    stamp = no_engine / "cpu-0.30.0" / ".stamp"
    stamp.write_text(environments._stamp(environments.LOCKS / "cpu-0.30.0.lock"))
    assert engines.interpreter(None) == str(python) == engines.interpreter("0.30.0")
    assert engines.existing("0.24.0") is None, "the layer is not built"
    stamp.write_text("another lock")
    assert engines.existing("0.30.0") is None


def test_the_command_engine_prints_what_is_there_and_builds_nothing(
    no_engine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(engines.ENGINES, "0.30.0=/some/python")
    assert main(["engine"]) == 0
    assert capsys.readouterr().out == "/some/python\n"
    assert main(["engine", "0.8.5"]) == 2
    assert capsys.readouterr().err.startswith("error: vLLM 0.8.5 is not supported\nhint: supported are ")
    assert not no_engine.exists()


def test_a_missing_interpreter_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "interpreter", lambda version: "/nowhere/python")
    code, _, err = run(capsys, "a=1")
    assert code == 2 and "/nowhere/python is not there" in err and err.count("\n") == 2


def test_overrides_reach_the_engine_as_they_were_typed(
    engine: list[Request], capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ["+a.b=1", "~c", "++d=[1,2]", "--config-name=ppo_megatron_trainer", "e='x y'"]
    code, _, _ = run(capsys, "--gpu", "MI300X,MI355X", "--gpus", "4", *overrides)
    assert code in (0, 1)
    assert [request.arguments for request in engine] == [tuple(overrides)] * 2
    assert [request.identity.arch for request in engine] == ["gfx942", "gfx950"]
    assert [request.identity.count for request in engine] == [4, 4]


def test_what_a_trainer_needs_and_nobody_named_is_completed_and_said(
    engine: list[Request], capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, f"{ROLLOUT}.max_num_seqs=64")
    assert engine[0].arguments[-1] == f"{ROLLOUT}.max_num_seqs=64"
    assert "actor_rollout_ref.actor.use_dynamic_bsz=True" in engine[0].arguments
    assert "completed from the guide's recipe: algorithm.adv_estimator=grpo" in out
    engine.clear()
    _, out, _ = run(capsys, "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=8")  # it says how it cuts its batches
    assert engine[0].arguments == ("actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=8",)
    assert "completed" not in out


def test_json_is_the_dump_of_the_report(engine: list[Request], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--json", "--rocm", "7.2.1")
    answer = DryRun.model_validate_json(out)
    assert (answer.format, answer.versions["vllm"]) == (2, "0.30.0")
    assert code == answer.exit_code
    assert run(capsys, "--format", "json", "--rocm", "7.2.1")[1] == out


def test_the_report_says_that_nothing_ran(engine: list[Request], capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--all")
    first, second, *_, last = out.splitlines()
    assert first.startswith("no finding; a known issue, not confirmed: ")
    assert second.endswith("; nothing ran on a GPU") and "1 x 8 MI300X (gfx942, 192 GiB)" in second
    counts = r"no findings, \d+ known issues? met \(0 confirmed\), \d+ avoided, \d+ undecided, exit code 0"
    assert re.fullmatch(counts, last)
    assert "max_num_seqs" in out


@pytest.mark.parametrize("columns", ["80", "120", "200", None])
def test_no_line_to_paste_is_broken_at_any_width(
    engine: list[Request], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str | None
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    _, out, _ = run(capsys, "--rocm", "7.2.1")
    assert "\n    ++ray_kwargs.ray_init.runtime_env.env_vars.HSA_ENABLE_IPC_MODE_LEGACY='\"1\"'\n" in out
    prose = [line for line in out.splitlines()[2:-1] if "=" not in line and "http" not in line]
    assert max(map(len, prose)) <= int(columns or 10_000)
    assert "\x1b" not in out, "a pipe has no colours"


def test_markdown_and_annotations_hold_the_findings(engine: list[Request], capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--format", "markdown", "--rocm", "7.2.1")
    assert "- upgrade to vLLM 0.32.0 or later\n  - Segfault in Tensor.item()" in out
    assert f"([`tensor-item-segfault-in-pool`]({site(ISSUES, 'tensor-item-segfault-in-pool')}), confirmed)" in out
    _, out, _ = run(capsys, "--format", "github", "--rocm", "7.2.1")
    assert "::warning title=tensor-item-segfault-in-pool on MI300X%2C vLLM 0.30.0::" in out
    assert all(line.startswith("::") for line in out.splitlines()[:-1])


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("json", '{"format":2,"error":"GPU \'MI999\' is not known","hint":"known are '),
        ("github", "::error title=no dry run::GPU 'MI999' is not known: known are "),
        ("markdown", "- **error**: GPU 'MI999' is not known\n  - hint: known are "),
    ],
)
def test_bad_input_keeps_to_the_format(
    engine: list[Request], capsys: pytest.CaptureFixture[str], form: str, says: str
) -> None:
    code, out, err = run(capsys, "--gpu", "MI999", "--format", form)
    assert (code, err) == (2, "") and out.startswith(says)


def test_what_a_workflow_command_obeys_is_escaped() -> None:
    assert formats.annotation("error", "a,b.sh", "x: y", "50%\n::error::") == (
        "::error file=a%2Cb.sh,title=x%3A y::50%25%0A::error::"
    )


def test_a_refusal_lists_everything_once_with_errors_first_and_counts_last(capsys: pytest.CaptureFixture[str]) -> None:
    problems = tuple(
        Problem(kind=Kind.UNKNOWN_KEY, stage="compose", message=f"verl has no key {key}", hint=f"nearest is {key}s")
        for key in ("a", "b")
    )
    ignored = Finding(id="variable-not-read", title="VLLM_X=1 does nothing", remedies=(Remedy(text="Leave it out."),))
    refused = [
        RefusedJob(gpu=gpu, rocm=None, launcher="x", problems=problems, findings=(ignored,)) for gpu in (GPU, MI355X)
    ]
    run = DryRun(versions={"vllm": "0.30.0", "verl": "0.9.1"}, reports=tuple(refused))
    show((), run, Format.TEXT, False)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "error: verl refuses this job: verl has no key a",
        "hint: nearest is as",
        "error: verl refuses this job: verl has no key b",
        "hint: nearest is bs",
        "finding: VLLM_X=1 does nothing [variable-not-read]",
        "hint: Leave it out.",
        "dry run: 8 MI300X (gfx942, 192 GiB), vLLM 0.30.0, verl 0.9.1; nothing ran on a GPU",
        "2 errors, 1 finding, exit code 2",
    ]


def test_ids_are_links_on_a_terminal_and_plain_in_a_pipe() -> None:
    issue = report().of_state("awaits")[0]
    for terminal in (True, False):
        out = Console(file=StringIO(), force_terminal=terminal, width=200, no_color=True)
        render.print_report(out, report(), {"vllm": "0.30.0", "verl": "0.9.1"}, every=False)
        printed = out.file.getvalue()  # type: ignore[attr-defined]
        assert ("\x1b]8;" in printed) is terminal
        address = issue.url if terminal else f"id of a known issue: {site(ISSUES, 'ID')}"
        assert address in printed


def test_overrides_to_paste_are_one_block_and_shell_lines_another() -> None:
    finding = report(exported={"VLLM_USE_V1": "1"}, graphs={"sizes": (1, 2), "max": 2}, resolved={"max_num_seqs": 4})
    overrides, shell = to_paste(finding)
    assert overrides == (f"'{ROLLOUT}.cudagraph_capture_sizes=[1,2,4]'",)
    assert shell == ("unset VLLM_USE_V1",)
    assert continued(("a=1", "b=2")) == ("a=1 \\", "b=2")


def test_exit_codes() -> None:
    clean = report()
    assert DryRun(versions={}, reports=(clean.model_copy(update={"issues": ()}),)).exit_code == 0
    confirmed = clean.of_state("awaits")[0].model_copy(update={"confidence": "confirmed"})
    reported = confirmed.model_copy(update={"confidence": "reported"})
    for state, issue, code in (("awaits", confirmed, 1), ("awaits", reported, 0), ("avoided", confirmed, 0)):
        one = clean.model_copy(update={"issues": (Match(state=state, finding=issue),)})  # type: ignore[arg-type]
        assert DryRun(versions={}, reports=(one,)).exit_code == code
    finding = report(graphs={"sizes": (1,), "max": 1}).model_copy(update={"issues": ()})
    assert DryRun(versions={}, reports=(finding,)).exit_code == 1
    problem = Problem(kind=Kind.VERL, stage="verl", message="no")
    refused = RefusedJob(gpu=GPU, rocm=None, launcher="x", problems=(problem,))
    assert DryRun(versions={}, reports=(finding, refused)).exit_code == 2


def test_a_refusal_that_is_a_known_issue_says_the_fix() -> None:
    from verl_rocm.facts.load import load

    message = "max_model_len (32768) should be less than or equal to max_position_embeddings (4096)"
    assert "max-model-len-refused" in refusals.known_fix(load(), message)
    assert refusals.known_fix(load(), "something that nobody has seen yet") == ""


def test_a_comparison_shows_only_what_differs() -> None:
    plain = report()
    bare = plain.model_copy(update={"findings": (), "issues": ()})
    assert compare.differences([bare, bare]) == []
    other = report(gpu=MI355X, resolved={"max_num_batched_tokens": 16384})
    other = other.model_copy(update={"findings": (), "issues": ()})
    assert dict(compare.differences([bare, other])) == {
        "FP8 format": ["e4m3fnuz", "e4m3fn"],
        "resolved: max_num_batched_tokens": ["8192", "16384"],
    }


@pytest.mark.parametrize(("columns", "lines"), [(200, 6), (60, 11)])
def test_a_comparison_that_does_not_fit_is_stacked_and_no_value_is_folded(columns: int, lines: int) -> None:
    plain = report().model_copy(update={"findings": (), "issues": ()})
    other = report(gpu=MI355X, resolved={"max_num_batched_tokens": 16384, "attention_backend": "A" * 40})
    run = DryRun(versions={}, reports=(plain, plain, other.model_copy(update={"findings": (), "issues": ()})))
    out = Console(file=StringIO(), width=columns)
    render.print_comparison(out, ("MI300X", "MI325X", "MI355X"), run)
    printed = out.file.getvalue()  # type: ignore[attr-defined]
    assert "A" * 40 in printed and printed.endswith("3 differences\n")
    assert len(printed.splitlines()) == lines
    assert ("  MI300X, MI325X  e4m3fnuz\n  MI355X          e4m3fn\n" in printed) is (columns == 60)


def test_the_identity_is_that_of_the_facts() -> None:
    gpu = gpus.identity("mi355x", 8)
    assert (gpu.name, gpu.arch, gpu.memory_gib, gpu.fp8) == ("MI355X", "gfx950", 288, "e4m3fn")


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
    printed = capsys.readouterr().err
    assert says in printed and printed.count("\n") == 1


def test_a_key_of_other_releases_is_named_with_them() -> None:
    line = refusals.elsewhere("data.reward_fn_key", "9.9.9")
    assert re.fullmatch(r"verl [\d.a-z]+ to [\d.]+ has this key, 9.9.9 does not", line)
    assert refusals.elsewhere("data.reward_fn_key", "0.9.1") == ""
    assert refusals.elsewhere("no.such.key", "0.9.1") == ""


@pytest.mark.parametrize(
    ("code", "printed", "says"),
    [
        (-4, "WARNING: Platform 'amd' is registered but not available\n", "it was ended by SIGILL"),
        (-9, "", "it was ended by SIGKILL"),
        (
            1,
            'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    import vllm\n'
            "ModuleNotFoundError: No module named 'vllm'\nWARNING: Platform 'amd' is not available\n",
            "ModuleNotFoundError: No module named 'vllm'",
        ),
        (
            1,
            "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'\n\nDuring handling:\n"
            'Traceback (most recent call last):\n  File "b.py", line 2\nvllm.errors.Bad: why\n  more of it\n',
            "vllm.errors.Bad: why",
        ),
        (3, "only a word\n", "only a word"),
        (3, "", "it ended with code 3 and printed nothing"),
    ],
)
def test_the_line_names_the_cause_and_not_the_last_thing_printed(code: int, printed: str, says: str) -> None:
    assert engines.cause(code, printed) == says


def test_without_arguments_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "dry-run" in capsys.readouterr().out


def test_the_versions_name_tool_facts_and_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    tool, facts, engine = capsys.readouterr().out.splitlines()
    assert tool.startswith("verl-rocm ") and re.match(r"facts 20\d\d-\d\d-\d\d: \d+ known issues, vllm up to ", facts)
    assert engine.startswith("vLLM ") and "verl" in engine


def test_an_interpreter_without_the_packages_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-S", "-m", "verl_rocm", "check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=engines.ROOT, env={"PATH": os.environ["PATH"]})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {sys.executable} lacks packaging, pydantic, rich, typer: take the Python")
    assert done.stderr.count("\n") == 1
