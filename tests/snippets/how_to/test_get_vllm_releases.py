"""The three release scripts and the wheel script, with stand-ins that record their calls."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

SNIPPETS = Path(__file__).parents[3] / "snippets" / "how_to"
# Makes environments that hold itself, answers what the scripts ask, and records the rest.
PYTHON = """#!/bin/sh
echo "python3 $@" >>"$CALLS"
case "$2" in
venv) mkdir -p "$3/bin"; cp "$0" "$3/bin/python3"; cp "$0" "$3/bin/rocm-sdk" ;;
*_rocm_sdk_core*|*core.__path__*) echo /sdk/core ;;
esac
case "$0 $*" in
*"rocm-sdk path --root") echo /sdk ;;
*"rocm-sdk path --bin") echo /sdk/bin ;;
esac
"""
BUILD = '#!/bin/sh\necho "get_vllm.sh $@ ROCM_PATH=$ROCM_PATH python=$(command -v python3)" >>"$CALLS"\n'


def run(folder: Path, script: str, *arguments: str) -> list[str]:
    """Calls that a release script makes in ``folder``."""
    (folder / "bin").mkdir()
    for name in ("python3", "python3.12"):
        (folder / "bin" / name).write_text(PYTHON)
        (folder / "bin" / name).chmod(0o755)
    shutil.copy(SNIPPETS / script, folder)
    (folder / "get_vllm.sh").write_text(BUILD)
    env = {"PATH": f"{folder}/bin:/usr/bin:/bin", "CALLS": str(folder / "calls")}
    done = subprocess.run(["bash", script, *arguments], cwd=folder, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return (folder / "calls").read_text().splitlines()


@pytest.mark.block("how_to/get_vllm_0_8_4.sh", "build", evidence="checked")
def test_0_8_4(tmp_path: Path) -> None:
    assert run(tmp_path, "get_vllm_0_8_4.sh") == [
        "python3 -m venv vllm-0.8.4-rocm",
        "python3 -m pip install --index-url https://download.pytorch.org/whl/rocm6.2.4"
        " torch==2.6.0 torchvision==0.21.0 torchaudio==2.6.0",
        f"get_vllm.sh 0.8.4 gfx942 ROCM_PATH= python={tmp_path}/vllm-0.8.4-rocm/bin/python3",
    ]


@pytest.mark.block("how_to/get_vllm_0_24_0.sh", "build", evidence="checked")
def test_0_24_0(tmp_path: Path) -> None:
    assert run(tmp_path, "get_vllm_0_24_0.sh", "gfx942;gfx950", "mine") == [
        "python3 -m venv mine",
        "python3 -m pip install --index-url https://download.pytorch.org/whl/rocm7.1"
        " torch==2.11.0 torchvision==0.26.0 torchaudio==2.11.0 triton==3.6.0",
        f"get_vllm.sh 0.24.0 gfx942;gfx950 ROCM_PATH= python={tmp_path}/mine/bin/python3",
    ]


@pytest.mark.block("how_to/get_vllm_0_33_0.sh", "build", evidence="checked")
def test_0_33_0(tmp_path: Path) -> None:
    calls = run(tmp_path, "get_vllm_0_33_0.sh", "gfx950")
    assert calls[:2] == [
        "python3 -m venv vllm-0.33.0-rocm",
        "python3 -m pip install --index-url https://stable.repo.amd.com/rocm/whl-next/"
        " rocm[libraries,devel,device-gfx950]==10.0.0 torch[device-gfx950]==2.12.0+rocm10.0.0"
        " torchvision[device-gfx950]==0.27.0+rocm10.0.0",
    ]
    assert "python3 init" in calls  # rocm-sdk is the same stand-in
    assert calls[-2:] == [
        "python3 -m pip install /sdk/core/share/amd_smi",
        f"get_vllm.sh 0.33.0 gfx950 ROCM_PATH=/sdk python={tmp_path}/vllm-0.33.0-rocm/bin/python3",
    ]


def wheel(folder: Path, **machine: str) -> subprocess.CompletedProcess[str]:
    """Run the wheel script on a machine with these versions; ``vllm`` and ``hip`` are what is installed in the end."""
    answers = {"vllm": "0.24.0+rocm723", "hip": "'7.2.3'", "python": "3.12", "glibc": "2.39", "uv": "yes", **machine}
    python = shutil.which("python3")
    commands = {
        "getconf": f'#!/bin/sh\necho "glibc {answers["glibc"]}"\n',
        "python3": f'#!/bin/sh\n[ "$1" != -c ] || {{ echo {answers["python"]}; exit; }}\nexec {python} "$@"\n',
        **({"uv": f'#!/bin/sh\necho "uv $@" >>"{folder}/calls"\n'} if answers["uv"] else {}),
    }
    for name, text in commands.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    torch = (
        f"from types import SimpleNamespace\n__version__ = '2.11.0'\nversion = SimpleNamespace(hip={answers['hip']})\n"
    )
    (folder / "torch.py").write_text(torch)
    (folder / "vllm-0.24.0.dist-info").mkdir()
    (folder / "vllm-0.24.0.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: vllm\nVersion: {answers['vllm']}\n"
    )
    env = {"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(folder)}
    return subprocess.run(["bash", SNIPPETS / "get_vllm_wheel.sh"], cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.block("how_to/get_vllm_wheel.sh", "install", "which", evidence="checked")
def test_the_wheel(tmp_path: Path) -> None:
    done = wheel(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "calls").read_text().strip() == (
        "uv pip install --python python3 vllm==0.24.0+rocm723 --extra-index-url https://wheels.vllm.ai/rocm/0.24.0/rocm723"
    )
    assert done.stdout.strip() == "vllm 0.24.0+rocm723 torch 2.11.0 HIP 7.2.3"


@pytest.mark.parametrize("answers", [{"vllm": "0.24.0"}, {"hip": "None"}, {"vllm": "0.24.0+cpu", "hip": "None"}])
def test_the_cuda_wheel_is_noticed(tmp_path: Path, answers: dict[str, str]) -> None:
    done = wheel(tmp_path, **answers)
    assert done.returncode == 1
    assert done.stderr.startswith("this is not vLLM for ROCm: remove vllm and torch")


@pytest.mark.block("how_to/get_vllm_wheel.sh", "check", evidence="checked")
@pytest.mark.parametrize(
    ("machine", "says"),
    [
        ({"python": "3.11"}, "python3 is 3.11, and the wheels are for 3.12; any other gets the CUDA wheel: uv venv"),
        ({"glibc": "2.34"}, r"glibc is 2.34, the wheels need 2.35 \(Ubuntu 22.04, Debian 12\) or newer: use the image"),
        ({"uv": ""}, "uv is missing: python3 -m pip install uv"),
    ],
)
def test_no_machine_for_the_wheel(tmp_path: Path, machine: dict[str, str], says: str) -> None:
    done = wheel(tmp_path, **machine)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert re.match(f"get_vllm_wheel: {says}", done.stderr)
    assert not (tmp_path / "calls").exists()
