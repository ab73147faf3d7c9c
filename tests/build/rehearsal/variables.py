"""Which environment variables the build of a release reads, from its own source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tools.contracts.environment import CMAKE, python_reads

# What setup.py imports from packages that read the environment on its behalf.
# torch: _find_rocm_home in torch/utils/cpp_extension.py (2.13.0); setuptools-scm: its documented override.
THROUGH = {
    ("torch.utils.cpp_extension", "ROCM_HOME"): ("ROCM_HOME", "ROCM_PATH"),
    ("setuptools_scm", "get_version"): ("SETUPTOOLS_SCM_PRETEND_VERSION",),
}


def _setup(text: str) -> dict[str, str]:
    module = ast.parse(text)
    names = dict.fromkeys(python_reads(module), "setup.py")
    for node in ast.walk(module):
        match node:
            case ast.Attribute(value=ast.Name(id="envs"), attr=name) if name.isupper():
                names[name] = "setup.py, through vllm/envs.py"
            case ast.ImportFrom(module=str(package), names=imported):
                for alias in imported:
                    for name in THROUGH.get((package, alias.name), ()):
                        names.setdefault(name, f"setup.py, through {package}")
    return names


def reads(source: Path) -> dict[str, str]:
    """Name -> who reads it, for the build below ``source``: its setup.py, CMakeLists.txt and ``cmake/``."""
    names = _setup((source / "setup.py").read_text(encoding="utf-8"))
    for path in [source / "CMakeLists.txt", *sorted((source / "cmake").rglob("*.cmake"))]:
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        for name in CMAKE.findall(text):
            names.setdefault(name, path.relative_to(source).as_posix())
    return names


def set_by(script: str) -> set[str]:
    """Names that a shell script hands to its commands: exported, or written in front of one."""
    exported = [
        word for line in re.findall(r"^\s*export\s+(.+?)(?:\s{2,}#.*)?$", script, re.M) for word in line.split()
    ]
    in_front = re.findall(r"^[ \t]*((?:\w+=[^\s(]*[ \t]+)+)[^\s#]", script, re.M)
    words = [*exported, *(word for group in in_front for word in group.split())]
    return {word.partition("=")[0] for word in words if re.fullmatch(r"\w+(=.*)?", word)}
