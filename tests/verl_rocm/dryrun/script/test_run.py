"""Launch scripts as people write them, read by bash with the launchers replaced."""

import contextlib
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from verl_rocm.dryrun.script import run as script
from verl_rocm.dryrun.script import sandbox, shims

from .samples import launches

BODY = {
    "array": 'ARGS=(\n  a.b=1  # why\n  "c.d=[1,2]"\n)\npython3 -m verl.trainer.main_ppo "${ARGS[@]}" "$@" | tee log',
    "continuation": "python -m verl.trainer.main_ppo \\\n  a.b=${B:-1} \\\n  c.d=[1,2] \\\n  $@",
    "exec through uv": 'LAUNCH=(uv run --frozen python3)\n"${LAUNCH[@]}" -m verl.trainer.main_ppo a.b=1 c.d=[1,2] "$@"',
    "ray job": 'ray job submit --address=x -- python3 -m verl.trainer.main_ppo a.b=1 c.d=[1,2] "$@"',
    "wrapper": "python3 guard.py python3 -m verl.trainer.main_ppo a.b=1 'c.d=[1,2]' \"$@\"",
    "file": "python3 verl/trainer/main_ppo.py a.b=1 'c.d=[1,2]' \"$@\"",
}


@pytest.mark.parametrize("style", BODY)
def test_styles(tmp_path: Path, style: str) -> None:
    jobs = launches(tmp_path, BODY[style], "e.f=2")
    assert [(job.module, job.arguments) for job in jobs] == [("verl.trainer.main_ppo", ["a.b=1", "c.d=[1,2]", "e.f=2"])]


def test_variables_reach_the_script_and_the_job(tmp_path: Path) -> None:
    body = 'export VLLM_ROCM_USE_AITER=1\npython3 -m verl.trainer.main_ppo a.b="${B:-1}"'
    (job,) = launches(tmp_path, body, B="7")
    assert job.arguments == ["a.b=7"]
    assert job.environment["VLLM_ROCM_USE_AITER"] == "1"


def test_rocminfo_answers_with_the_arch_that_was_asked_for(tmp_path: Path) -> None:
    """The recipe's settings.sh chooses by it; the real tool, where there is one, would name this machine's GPU."""
    file = tmp_path / "run.sh"
    file.write_text("python3 -m verl.trainer.main_ppo a.b=$(rocminfo 2>/dev/null | grep -om1 'gfx[0-9a-f]*')\n")
    for arch in ("gfx90a", "gfx942"):
        assert [job.arguments for job in script.launches(file, arch=arch)] == [[f"a.b={arch}"]]


def test_every_launch_counts(tmp_path: Path) -> None:
    body = "for n in 1 2; do python3 -m verl.trainer.main_ppo trainer.nnodes=$n; done"
    assert [job.arguments for job in launches(tmp_path, body)] == [["trainer.nnodes=1"], ["trainer.nnodes=2"]]


def test_nothing_is_deleted_made_or_fetched(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("here")
    body = (
        f"rm -rf {kept}\nmkdir -p {tmp_path}/made\ncurl -f http://127.0.0.1:9\nulimit -n 99999999\n"
        "python3 -m verl.trainer.main_ppo | tee kept.log"
    )
    assert len(launches(tmp_path, body)) == 1
    assert not Path("kept.log").exists()
    assert kept.read_text() == "here" and not (tmp_path / "made").exists()


def only(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``way`` be the only sandbox of this system."""
    ways = sandbox.ways()
    if way not in ways:
        pytest.skip(f"this system allows no {way}")
    monkeypatch.setattr(sandbox, "ways", lambda: {way: ways[way]})


@pytest.mark.parametrize("way", sandbox.WAYS)
def test_what_a_script_writes_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    only(way, monkeypatch)
    home, far, here = (tmp_path / name for name in ("home", "far", "here"))
    for folder in (home, far, here):
        folder.mkdir()
    kept = far / "kept"
    kept.write_text("as it was")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    body = (
        f"set +e\necho x > verl.log\necho x > $HOME/log\necho x >> {kept}\n: > {kept}\necho x > {far}/new\n"
        f'echo x > /dev/null && quiet=yes\npython3 -c \'open("made.py", "w").write("x")\'\n'
        f"python3 -c 'import os; os.remove(\"{kept}\")'\n"
        "python3 -m verl.trainer.main_ppo quiet=$quiet 2>&1 | tee run.log > again.log\n"
    )
    (job,) = launches(tmp_path, body)
    assert job.arguments == ["quiet=yes"]
    assert [path.name for path in here.iterdir()] == [] and list(home.iterdir()) == []
    assert [path.name for path in far.iterdir()] == ["kept"] and kept.read_text() == "as it was"


@pytest.mark.parametrize("way", sandbox.WAYS)
def test_it_is_the_sandbox_that_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """The control: without a sandbox the same line does write."""
    only(way, monkeypatch)
    file = tmp_path / "run.sh"
    file.write_text(f"echo x > {tmp_path}/new\npython3 -m verl.trainer.main_ppo a=1\n")
    script.launches(file)
    assert not (tmp_path / "new").exists()
    script.launches(file, trusted=True)
    assert (tmp_path / "new").read_text() == "x\n"


def test_a_file_that_a_script_makes_is_there_for_its_later_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only("namespaces", monkeypatch)
    if os.geteuid() and any(" /tmp/" in line for line in Path("/proc/self/mounts").read_text().splitlines()):
        pytest.skip("something is mounted below /tmp, which then stays read-only for others than root")
    monkeypatch.chdir(tmp_path)
    body = "mkdir -p out\necho 7 > out/n\npython3 -m verl.trainer.main_ppo a=$(cat out/n)"
    assert launches(tmp_path, body)[0].arguments == ["a=7"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("way", sandbox.WAYS)
def test_there_is_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    only(way, monkeypatch)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        ask = f'import socket; print(socket.socket().connect_ex(("127.0.0.1", {port})))'
        body = f"set +e\n(echo x > /dev/tcp/127.0.0.1/{port}) && a=open\ncurl -sf http://127.0.0.1:{port}\n"
        body += f"python3 -m verl.trainer.main_ppo a=${{a:-shut}} b=$(python3 -c '{ask}')"
        (job,) = launches(tmp_path, body)
    assert job.arguments[0] == "a=shut"
    assert job.arguments[1] not in ("b=", "b=0"), "python was refused as well"


def test_no_process_of_ours_can_be_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only("namespaces", monkeypatch)
    with subprocess.Popen(["sleep", "60"]) as victim:
        launches(tmp_path, f"builtin kill -9 {victim.pid} || true\npython3 -m verl.trainer.main_ppo a=1")
        assert victim.poll() is None
        victim.kill()


def test_without_any_sandbox_the_script_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "ways", dict)
    body = f"echo x > {tmp_path}/new\npython3 -m verl.trainer.main_ppo a=1"
    with pytest.raises(script.ScriptProblem, match="--trust-script") as caught:
        launches(tmp_path, body)
    assert "\n" not in str(caught.value) and not (tmp_path / "new").exists()


def test_a_python_file_that_is_no_trainer_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "get_model.py").write_text("import time; time.sleep(60)")
    body = f"python3 {tmp_path}/get_model.py\nn=$(python3 -c 'print(3)')\npython3 -m verl.trainer.main_ppo a=$n"
    assert launches(tmp_path, body, limit=10)[0].arguments == ["a=3"]


def test_nothing_that_a_script_starts_outlives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops in the background, as of a fork bomb that was stopped; fails without the kill of the whole group."""
    for way in sandbox.ways():
        only(way, monkeypatch)
        body = "for n in 1 2 3 4 5; do (while :; do :; done) & done\nwait"
        with pytest.raises(script.ScriptProblem, match="did not end"):
            launches(tmp_path, body, limit=1)
        end = time.monotonic() + 10  # the kernel ends them one after the other
        while (left := str(tmp_path / "run.sh") in processes()) and time.monotonic() < end:
            time.sleep(0.1)
        assert not left
        monkeypatch.undo()


def processes() -> str:
    """The command lines of all processes."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(file.read_text(errors="replace").replace("\0", " "))
    return "\n".join(lines)


def test_endless_output_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails without the limit on the size of a file: a disk would be full in minutes."""
    sizes = []
    seen = script._attempt

    def attempt(plan: script.Run) -> script.Attempt:
        result = seen(plan)
        sizes.append(len(result.output))
        return result

    monkeypatch.setattr(script, "_attempt", attempt)
    with pytest.raises(script.ScriptProblem):
        launches(tmp_path, "while :; do printf '%065536d' 1; done", limit=2)
    assert 0 < max(sizes) <= shims.OUTPUT


def test_a_script_that_never_ends_is_stopped(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(script.ScriptProblem, match="did not end within 1 s"):
        launches(tmp_path, "while true; do :; done", limit=1)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("echo hello", "launches no trainer of verl"),
        ("if then", "launches no trainer of verl .*syntax error"),
        ("exit 3", "launches no trainer of verl"),
    ],
)
def test_scripts_that_tell_nothing(tmp_path: Path, body: str, says: str) -> None:
    with pytest.raises(script.ScriptProblem, match=says) as caught:
        launches(tmp_path, body)
    assert "\n" not in str(caught.value)


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(script.ScriptProblem, match="is not there"):
        script.launches(tmp_path / "none.sh")
