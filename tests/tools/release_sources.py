"""A little vLLM and a little verl, as source files of a release."""

from __future__ import annotations

from pathlib import Path

from tools.contracts.download import Unpacked

VLLM = {
    "vllm/__init__.py": "",
    "vllm/envs.py": """\
import os
environment_variables = {
    "VLLM_A": lambda: bool(int(os.getenv("VLLM_A", "0"))),
    "VLLM_B": env_with_choices("VLLM_B", "NONE", ["FP", "NONE"]),
    "VLLM_NOBODY": lambda: os.environ.get("VLLM_NOBODY"),
    "VLLM_CHUNK": lambda: os.environ.get("VLLM_CHUNK", "256"),
}
""",
    "vllm/config/__init__.py": "from vllm.config.model import ModelConfig\nfrom vllm.config.vllm import *\n",
    "vllm/config/model.py": """\
from typing import Literal
DType = Literal["auto", "half"]
class ModelConfig:
    dtype: DType | str = "auto"
    seed: int = 0
""",
    "vllm/config/vllm.py": """\
import enum
from dataclasses import field
from pydantic import Field
class Mode(enum.Enum):
    NONE = 0
    FULL = (1, 2)
class Named(enum.Enum):
    TRITON = "path.to.Triton"
class Valued(str, enum.Enum):
    FAST = "fast"
class CompilationConfig:
    mode: Mode | None = None
    kind: Mode = Mode.FULL
    backend: Named = Named.TRITON
    speed: Valued = Valued.FAST
    sizes: list[int] = field(default_factory=list)
    must: int
    hidden: int = field(init=False)
    _private: int = 0
    late: dict = field(default_factory=lambda: make())
OPTIMIZATION_LEVEL_00 = {"compilation_config": {"cudagraph_mode": Mode.NONE}}
OPTIMIZATION_LEVEL_02 = {"compilation_config": {"cudagraph_mode": Mode.FULL}}
class OptimizationLevel(enum.IntEnum):
    O0 = 0
    O2 = 2
class VllmConfig:
    optimization_level: OptimizationLevel = OptimizationLevel.O2
    def _set_cudagraph_sizes(self):
        sizes = list(range(8, 256, 8))
        name = "x"
""",
    "vllm/engine/arg_utils.py": """\
from vllm.config import CompilationConfig, ModelConfig
class EngineArgs:
    model: str
    dtype: str = ModelConfig.dtype
    seed: int | None = ModelConfig.seed
    sizes: list = get_field(CompilationConfig, "sizes")
    factor: float = -0.5
""",
    "vllm/sampling_params.py": "class SamplingParams:\n    temperature: float = 1.0\n",
    "vllm/entrypoints/base.py": """\
class Base:
    def sleep(self, level=1): ...
    def wake_up(self, tags=None) -> bool: ...
""",
    "vllm/entrypoints/llm.py": """\
from typing import Literal
from vllm.entrypoints.base import Base
class LLM(Base):
    def __init__(self, model: str, *, seed: int | None = None, **kwargs): ...
    def sleep(self, level: int = 1, mode: Literal["abort", "wait"] = "abort"): ...
    def _inner(self): ...
""",
    "vllm/platforms/interface.py": """\
class Platform:
    def is_sleep_mode_available(self):
        return self._enum in (PlatformEnum.CUDA, PlatformEnum.ROCM)
""",
    "vllm/user.py": """\
import os
from vllm import envs
NAME = "VLLM_BY_CONSTANT"
x = envs.VLLM_A, envs.VLLM_B, os.environ[NAME], "VLLM_IN" in os.environ, os.environ.pop("VLLM_POP", None)
os.environ["VLLM_ONLY_SET"] = "1"
""",
    "csrc/a.cpp": """\
static const char* kName = "VLLM_BY_CPP_CONSTANT";
getenv("VLLM_CHUNK"); std::getenv(kName);  // getenv("VLLM_COMMENT")
""",
    "setup.py": """\
import os
os.getenv("VLLM_TARGET_DEVICE")
if _is_cuda() or _is_hip():
    ext.append(E(name="vllm.cumem_allocator"))
""",
    "CMakeLists.txt": """\
set(HIP_SUPPORTED_ARCHS "gfx942;gfx950")
set(TORCH_SUPPORTED_VERSION_ROCM "2.13.0")
set(VLLM_GPU_LANG "HIP")
$ENV{PYTORCH_ROCM_ARCH} if(DEFINED ENV{TORCH_NIGHTLY})  # $ENV{COMMENT}
set(ENV{WRITTEN} 1)
""",
    "rust/a.rs": 'env::var("VLLM_RUST")\n',
}
VERL = {
    "verl/trainer/config/_generated_ppo_trainer.yaml": """\
actor_rollout_ref:
  rollout:
    _target_: verl.workers.config.RolloutConfig
    max_num_seqs: 256
    engine_kwargs: {vllm: {}}
trainer: {nnodes: 1}
""",
    "verl/trainer/config/ppo_megatron_trainer.yaml": "trainer: {nnodes: 2}\nactor: {megatron: {tp: 1}}\n",
    "verl/workers/config/__init__.py": "from .rollout import *\n",
    "verl/workers/config/rollout.py": """\
class RolloutConfig:
    max_num_seqs: int = 1024
    enable_sleep_mode: bool = True
""",
    "verl/workers/rollout/vllm_rollout/server.py": """\
import os
def launch(config, engine_kwargs):
    args = {"max_num_seqs": config.max_num_seqs, **engine_kwargs}
    args["seed"] = 1 + config.seed
    args.update({"nnodes": 2})
    AsyncEngineArgs(dtype=config.dtype)
    for k, v in args.items():
        if isinstance(v, bool):
            if v:
                cli.append(k)
    os.environ["VLLM_USE_V1"] = "1"
    os.getenv("VERL_READ")
more = {}
if torch.version.hip is not None:
    more = {"RAY_X": "0"}
ENV = {"env_vars": {"NCCL_DEBUG": "WARN", **more}}
""",
    "verl-1.dist-info/METADATA": """\
Name: verl
Requires-Dist: vllm==0.24.0; extra == "vllm"
Requires-Dist: torch-memory-saver
""",
}


def unpack(root: Path, files: dict[str, str], whole: bool = True) -> Unpacked:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Unpacked(root, "test", whole)
