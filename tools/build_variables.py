"""Write which environment variables the build of each vLLM release reads, from the published source archives.

Run by hand, with network and uv beside this interpreter: ``python tools/build_variables.py``.
The archives are read and thrown away; what stays is ``tests/support/build_variables.json``.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
from pathlib import Path

RELEASES = ("0.8.4", "0.24.0", "0.30.0", "")  # "" is the newest
OUT = Path(__file__).parent.parent / "tests" / "support" / "build_variables.json"

# Names that setup.py imports from packages which read the environment on its behalf.
# torch: _find_rocm_home in torch/utils/cpp_extension.py (2.13.0); setuptools-scm: its documented override.
THROUGH = {
    ("torch.utils.cpp_extension", "ROCM_HOME"): ("ROCM_HOME", "ROCM_PATH"),
    ("setuptools_scm", "get_version"): ("SETUPTOOLS_SCM_PRETEND_VERSION",),
}
NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")


def python_reads(source: str) -> dict[str, int]:
    """Name -> first line of every environment variable that a ``setup.py`` reads."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.expr | ast.stmt):
            continue
        names: tuple[str, ...] = ()
        match node:
            case ast.Call(
                func=ast.Attribute(attr="getenv" | "get" | "is_set", value=owner), args=[ast.Constant(str(name)), *_]
            ) if ast.unparse(owner) in ("os", "os.environ", "envs"):
                names = (name,)
            case ast.Subscript(value=owner, slice=ast.Constant(str(name)), ctx=ast.Load()) if (
                ast.unparse(owner) == "os.environ"
            ):
                names = (name,)
            case ast.Attribute(attr=name, value=ast.Name(id="envs")) if NAME.match(name):
                names = (name,)
            case ast.ImportFrom(module=str(module), names=imported):
                names = tuple(n for alias in imported for n in THROUGH.get((module, alias.name), ()))
        for name in names:
            found[name] = min(node.lineno, found.get(name, node.lineno))
    return found


def cmake_reads(source: str) -> dict[str, int]:
    """Name -> first line of every ``ENV{NAME}`` that a CMake file reads."""
    found: dict[str, int] = {}
    for number, line in enumerate(source.splitlines(), 1):
        for name in re.findall(r"(?<!set\()\bENV\{(\w+)\}", line.split("#")[0]):
            found.setdefault(name, number)
    return found


def archive_reads(archive: bytes) -> dict[str, str]:
    """Name -> ``file:line`` for one source archive: its setup.py, CMakeLists.txt and cmake/."""
    found: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in sorted(tar.getmembers(), key=lambda m: (not m.name.endswith("/setup.py"), m.name)):
            path = member.name.partition("/")[2]
            handle = tar.extractfile(member) if member.isfile() else None
            if handle is None:
                continue
            if path == "setup.py":
                reads = python_reads(handle.read().decode())
            elif path == "CMakeLists.txt" or re.fullmatch(r"cmake/.*\.cmake", path):
                reads = cmake_reads(handle.read().decode())
            else:
                continue
            for name, line in reads.items():
                found.setdefault(name, f"{path}:{line}")
    return dict(sorted(found.items()))


def locate(release: str) -> tuple[str, str, str]:
    """Version, address and sha256 of a release's source archive, as uv resolves it."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-deps", "--format", "pylock.toml", "-"]
    wanted = f"vllm=={release}" if release else "vllm"
    lock = subprocess.run(command, input=wanted, text=True, stdout=subprocess.PIPE, check=True).stdout
    package = tomllib.loads(lock)["packages"][0]
    return package["version"], package["sdist"]["url"], package["sdist"]["hashes"]["sha256"]


def main() -> None:
    """Read every release and write the table."""
    table = {}
    for release in RELEASES:
        version, url, sha256 = locate(release)
        with urllib.request.urlopen(url) as response:
            archive = response.read()
        if hashlib.sha256(archive).hexdigest() != sha256:
            raise SystemExit(f"build_variables: {url} does not have the sha256 that the index names")
        table[version] = {"sdist": url.rpartition("/")[2], "sha256": sha256, "reads": archive_reads(archive)}
        print(f"vllm {version}: {len(table[version]['reads'])} variables")
    OUT.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
