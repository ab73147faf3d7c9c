"""A named setting, and the patterns by which text gives one away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["argument", "sampling", "method", "compilation", "override", "env", "env prefix", "word"]

# Upper-case words with one of these beginnings are environment variables; others may be enumeration values.
ENV = (
    r"(?:VLLM|VERL|HIP|HSA|ROCR|ROCM|NCCL|RCCL|RAY|PYTORCH|TORCH|AITER|MIOPEN|GPU_MAX|AMD|AMDGCN|CUDA|SGLANG|NVTE|GLOO"
    r"|HF|SAFETENSORS|TOKENIZERS|SETUPTOOLS|OMP|HIPBLASLT|ROCBLAS|TENSILE|ROCPROFILER|UCX|CMAKE|TRITON|MAX_JOBS)"
)
ENV_NAME = re.compile(rf"\b({ENV}(?:_[A-Z0-9]+)+(?:_\*)?|MAX_JOBS)(?![\w.(])")
EXPORT = re.compile(r"\bexport\s+([A-Za-z_]\w*)|(?:\s-e|--env)[ =]([A-Za-z_]\w*)=")
READ = re.compile(r"\$\{?([A-Za-z_]\w*)")
ROOTS = (
    "actor_rollout_ref|trainer|data|algorithm|critic|reward_model|reward|ray_kwargs|global_profiler|distillation"
    "|transfer_queue|custom_reward_function|reward_manager"
)
OVERRIDE = re.compile(rf"(?<![\w./-])(\+{{0,2}}(?:{ROOTS})(?:\.\w+)+)(?=\s*=|`|\s|$|[\"',;)])")
SYSTEM = {"PATH", "HOME", "USER", "PWD", "SHELL", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH"}


@dataclass(frozen=True)
class Named:
    """One name at one place. ``path`` is relative to the project; a method's argument is ``sleep.level``."""

    kind: Kind
    name: str
    path: str
    line: int


def environment(text: str, path: str, line: int) -> Iterator[Named]:
    """Environment variables by their look; ``VLLM_ROCM_USE_AITER_*`` stands for a group."""
    for name in ENV_NAME.findall(text):
        group = name.endswith("_*")
        yield Named("env prefix" if group else "env", name.removesuffix("*"), path, line)


def shell(text: str, path: str, line: int) -> Iterator[Named]:
    """Names in one line of shell: exported variables, variables before a command, verl overrides."""
    text = re.sub(r"(^|\s)#.*", "", text)
    exported = {name for pair in EXPORT.findall(text) for name in pair if name}
    for name in exported - SYSTEM:
        if name.isupper():
            yield Named("env", name, path, line)
    for match in re.finditer(rf"(?:^|\s)({ENV}\w*)=", text):
        if match[1] not in exported:
            yield Named("env", match[1], path, line)
    yield from overrides(text, path, line)


def own(text: str) -> set[str]:
    """Variables that a shell script itself expands and that look like nobody else's; a default is no use."""
    text = re.sub(r"\b(\w+)=(\"?)\$\{\1:?-", "", text)
    return {name for name in READ.findall(text) if not re.match(ENV, name)}


def overrides(text: str, path: str, line: int) -> Iterator[Named]:
    """verl override keys with their ``+`` signs."""
    for match in OVERRIDE.finditer(text):
        yield Named("override", match[1], path, line)
