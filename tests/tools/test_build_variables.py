"""What counts as reading an environment variable, and what does not."""

from __future__ import annotations

import io
import tarfile

from tools.build_variables import archive_reads, cmake_reads, python_reads

SETUP = """\
from torch.utils.cpp_extension import ROCM_HOME
import os
a = os.environ.get("A_GET"), os.getenv("B_GETENV"), os.environ["C_INDEX"]
b = envs.D_ENVS, envs.is_set("E_IS_SET"), envs.D_ENVS
os.environ["NOT_READ"] = "1"
c = {}.get("NOT_READ"), "NOT_READ", cfg.NOT_READ  # os.getenv("NOT_READ")
"""
CMAKE = """\
set(VLLM_GPU_LANG "HIP")
if(DEFINED ENV{A_DEFINED})
  set(B_CMAKE $ENV{C_READ})  # $ENV{NOT_READ}
  set(ENV{NOT_READ} 1)
"""


def test_setup_py() -> None:
    assert python_reads(SETUP) == {
        "ROCM_HOME": 1, "ROCM_PATH": 1, "A_GET": 3, "B_GETENV": 3, "C_INDEX": 3, "D_ENVS": 4, "E_IS_SET": 4,
    }  # fmt: skip


def test_cmake() -> None:
    assert cmake_reads(CMAKE) == {"A_DEFINED": 2, "C_READ": 3}


def test_an_archive_is_read_where_the_build_reads() -> None:
    files = {
        "setup.py": 'import os\nos.getenv("IN_SETUP")\n',
        "cmake/deep/x.cmake": "$ENV{IN_CMAKE}",
        "vllm/a.py": 'os.getenv("ELSEWHERE")',
        "docs/setup.py": 'os.getenv("ELSEWHERE")',
    }
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"vllm-1.0/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    assert archive_reads(raw.getvalue()) == {"IN_CMAKE": "cmake/deep/x.cmake:1", "IN_SETUP": "setup.py:2"}
