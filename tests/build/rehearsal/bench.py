"""The place where a rehearsal happens: a source that may be written to, a throw-away environment, a log of calls."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.build.rehearsal import sources
from tests.build.rehearsal.rocm import STANDINS, cmake_arguments, rocm
from tools.environment import DEFAULT_ENGINE, ensure, site_packages

HIP = "7.0.51831"  # what the CPU PyTorch claims to be built for
LAYERS = ("build", f"cpu-{DEFAULT_ENGINE}")
Done = subprocess.CompletedProcess[str]
Env = Mapping[str, str]
Command = Sequence[str | Path]


@dataclass(frozen=True)
class Bench:
    """One release in one folder."""

    release: str
    root: Path
    layers: tuple[str, ...] = LAYERS

    @property
    def source(self) -> Path:
        """The source, copied on first use."""
        path = self.root / f"vllm-{self.release}"
        return path if path.is_dir() else sources.copy(self.release, self.root)

    @property
    def python(self) -> Path:
        """The interpreter of an environment of its own over :attr:`layers`; the first layer wins."""
        python = self.root / "environment" / "bin" / "python"
        if not python.exists():
            layers = [site_packages(ensure(name)) for name in self.layers]
            subprocess.run([ensure(LAYERS[-1]), "-m", "venv", "--without-pip", python.parents[1]], check=True)
            (site_packages(python) / "layers.pth").write_text("".join(f"{layer}\n" for layer in layers))
        return python

    @property
    def log(self) -> Path:
        """Where the stand-ins record how they are called."""
        return self.root / "calls"

    def environment(self, env: Env | None = None, *, compile: bool = False) -> dict[str, str]:
        """Variables for a build, ``env`` last; with ``compile`` the stand-in hands over to the real CMake."""
        root = rocm()
        kernels = self.root / "triton_kernels"
        kernels.mkdir(exist_ok=True)
        (kernels / "__init__.py").touch()
        tools = ensure("build").parent
        variables = {
            "HOME": str(self.root),
            "TMPDIR": str(self.root),
            "PATH": os.pathsep.join([str(STANDINS), str(self.python.parent), str(tools), "/usr/bin", "/bin"]),
            "PYTHONPATH": os.pathsep.join([str(STANDINS), str(STANDINS / "empty")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PIP_NO_COMPILE": "1",
            "GIB_PER_JOB": "1",  # what else runs on the machine must not end a rehearsal
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "ROCM_PATH": str(root),
            "LD_LIBRARY_PATH": str(root / "lib"),
            "TRITON_KERNELS_SRC_DIR": str(kernels),
            "REHEARSAL_HIP": HIP,
            "REHEARSAL_LOG": str(self.log),
            "REHEARSAL_PYTHON": str(self.python),
        }
        if compile:
            variables |= {
                "REHEARSAL_CMAKE": str(tools / "cmake"),
                "REHEARSAL_CMAKE_ARGS": " ".join(cmake_arguments(root, "gfx942")),
                "CXXFLAGS": f"-DUSE_ROCM -D__HIP_PLATFORM_AMD__=1 -I{root}/include -w",
            }
        return variables | dict(env or {})

    def run(self, command: Command, env: Env | None = None, *, cwd: Path | None = None) -> Done:
        """Run a command in the source with the variables of :meth:`environment`."""
        return self.call(command, self.environment(env), 300, cwd)

    def call(self, command: Command, env: Env, limit: float, cwd: Path | None = None) -> Done:
        """Run a command with exactly these variables; output and errors in one text."""
        return subprocess.run(
            [str(word) for word in command],
            cwd=cwd or self.source,
            env=dict(env),
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
        )

    def calls(self, kind: str = "CALL") -> list[list[str]]:
        """Arguments of each recorded call: ``CALL`` of cmake, ``PIP`` of an installation that was not made."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [re.findall(r" \[(.*?)\](?= \[|$)", line) for line in lines if line.startswith(kind)]
