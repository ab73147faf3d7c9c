"""The guard on short stand-ins for a training (on real ones: tests/recipes/test_faults.py, `make test-recipe`)."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from guide.doctest import processes
from guide.regions import scan

pytest.importorskip("psutil")
GUARD = Path(__file__).parents[3] / "snippets" / "how_to" / "recipes" / "guard.py"
# A trainer that starts an engine and waits for it without end; `more` is what else happens.
TRAINER = """
import os, socket, subprocess, sys, time
engine = subprocess.Popen([{engine!r}, "60"])
time.sleep(2)
{more}
time.sleep(60)
"""
SYNC = """
sync = socket.socket(socket.AF_UNIX)
sync.bind({socket!r})
print("(Worker pid=7) ERROR 11-25 [worker.py:1] ValueError: no such weight", flush=True)
"""


def guard(*command: str, patience: float = 1) -> tuple[int, list[str]]:
    """Exit code and lines of a command under the guard."""
    environment = os.environ | {"GUARD_PATIENCE": str(patience)}
    done = processes.run([sys.executable, str(GUARD), *command], timeout=60, env=environment)
    return done.returncode, done.stdout.splitlines()


def trainer(folder: Path, more: str) -> list[str]:
    """The command of a trainer whose engine is a process of vLLM by its name."""
    engine = shutil.copy(shutil.which("sleep") or "", folder / "VLLM::EngineCor")
    return [sys.executable, "-c", TRAINER.format(engine=str(engine), more=more)]


@pytest.mark.block("how_to/recipes/guard.py", "watch", evidence="checked")
@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 5", 5), ("kill -9 $$", 128 + signal.SIGKILL)])
def test_the_exit_code_and_the_output_are_the_commands_own(command: str, code: int) -> None:
    assert guard("sh", "-c", f"echo hello; {command}") == (code, ["hello"])


@pytest.mark.block("how_to/recipes/guard.py", "reason", "watch", evidence="checked")
def test_a_trainer_that_waits_for_a_dead_engine_is_ended(tmp_path: Path) -> None:
    assert guard(*trainer(tmp_path, "engine.kill()")) == (
        3,
        ["guard: run ended: VLLM::EngineCor is gone and the trainer still waits for it"],
    )


@pytest.mark.block("how_to/recipes/guard.py", "reason", "watch", evidence="checked")
def test_a_sync_that_hangs_after_an_error_of_vllm_is_ended(tmp_path: Path) -> None:
    socket = tmp_path / "rl-colocate-zmq-1.sock"
    code, lines = guard(*trainer(tmp_path, SYNC.format(socket=str(socket))))
    assert code == 3
    assert lines[0].startswith("(Worker pid=7) ERROR")
    assert lines[1].startswith("guard: run ended: a weight sync has not ended after ")
    assert lines[1].endswith("s, which said: ValueError: no such weight")
    assert not socket.exists()


@pytest.mark.block("how_to/recipes/guard.py", "clean", evidence="checked")
def test_nothing_is_left_behind(tmp_path: Path) -> None:
    shared = Path(f"/dev/shm/guard-test-{os.getpid()}")
    daemon = f"import mmap; file = open('{shared}', 'w+b'); file.truncate(1); m = mmap.mmap(file.fileno(), 1)"
    command = [sys.executable, "-c", f"{daemon}; import time; time.sleep(60)", "guard-daemon"]
    start = f"import subprocess, time; subprocess.Popen({command!r}, start_new_session=True); time.sleep(3)"
    try:
        assert guard(sys.executable, "-c", start) == (0, [])
        assert not shared.exists()
    finally:
        shared.unlink(missing_ok=True)
    assert subprocess.run(["pgrep", "-f", "guard-daemo[n]"], stdout=subprocess.DEVNULL).returncode == 1


@pytest.mark.block("how_to/recipes/guard.py", "watch", evidence="checked")
@pytest.mark.parametrize("command", [[], ["no-such-trainer"]])
def test_without_a_command_it_is_one_line(command: list[str]) -> None:
    assert guard(*command) == (2, ["guard: no such command: write it behind guard.py"])


def shell(region: str, folder: Path, *overrides: str) -> tuple[int, str]:
    """Exit code and output of a block of guard.sh, with this Python as ``python3`` and the command ``verl-rocm``."""
    regions, _ = scan(GUARD.with_suffix(".sh"), GUARD.parents[2])
    command = folder / "verl-rocm"
    command.write_text('#!/bin/sh\nexec python3 -m verl_rocm "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(GUARD.parents[3]), "RAY_TMPDIR": str(folder)}
    words = ["bash", "-c", regions[region].text, "guard.sh", *overrides]
    done = processes.run(words, timeout=120, env=environment, cwd=GUARD.parent)
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


@pytest.mark.block("how_to/recipes/guard.sh", "preview", evidence="dry run")
def test_the_preview_names_a_misspelt_key(tmp_path: Path) -> None:
    pytest.importorskip("verl")
    code, text = shell("preview", tmp_path, "data.train_batch_sice=8")
    assert code == 2
    assert "verl has no key data.train_batch_sice\nhint: nearest is data.train_batch_size" in text
    code, text = shell("preview", tmp_path)
    assert code in (0, 1) and "MI300X" in text and "error:" not in text


@pytest.mark.block("how_to/recipes/guard.sh", "guard", evidence="checked")
def test_the_guard_starts_verl(tmp_path: Path) -> None:
    pytest.importorskip("verl")
    code, text = shell("guard", tmp_path, "data.train_batch_sice=8")
    assert (code, "Could not override 'data.train_batch_sice'" in text) == (1, True)
