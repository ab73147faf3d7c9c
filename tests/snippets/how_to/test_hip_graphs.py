"""The engine with HIP graphs: constructed, read back, and run under torchrun with two ranks."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from vllm import EngineArgs, SamplingParams
from vllm.config import CUDAGraphMode
from vllm.v1.cudagraph_dispatcher import CudagraphDispatcher

from guide.doctest import processes
from snippets.how_to import hip_graphs as page

if TYPE_CHECKING:
    from vllm import LLM

LAUNCH = Path(page.__file__).with_suffix(".sh")


class Instead(TypedDict, total=False):
    """Arguments of the page's ``construct`` that a machine needs otherwise."""

    enable_sleep_mode: bool
    dtype: str


# On CPU: vLLM refuses sleep mode there, and float32 lets only the order of the sum differ between one rank and two.
INSTEAD: dict[str, Instead] = {"cpu": {"enable_sleep_mode": False, "dtype": "float32"}}


@pytest.fixture(scope="module")
def alone(model: str, accelerator: str) -> "Iterator[LLM]":
    """The page's engine in this process, as the only rank."""
    rank = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in rank.items():
            patch.setenv(name, value)
        built = page.construct(model, tensor_parallel_size=1, **INSTEAD.get(accelerator, {}))
        yield built
        built.llm_engine.engine_core.shutdown()


@pytest.mark.block("how_to/hip_graphs.py", "imports", "construct", "main")
@pytest.mark.block("how_to/hip_graphs.sh", "launch")
def test_two_ranks_and_one_give_the_same_tokens(
    request: pytest.FixtureRequest, model: str, accelerator: str, evidence: Any
) -> None:
    import torch

    if accelerator != "cpu" and torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    instead = INSTEAD.get(accelerator, {})
    evidence.passed(tensor_parallel_size=2, **instead)
    arguments = ["--no-enable-sleep-mode", "--dtype", "float32"] if instead else []
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"MODEL": model, "PATH": beside, "OMP_NUM_THREADS": "1"}
    done = processes.run(["bash", str(LAUNCH), *arguments], timeout=300, env=environment)
    assert done.returncode == 0, [line for line in done.stdout.splitlines() if "Error" in line]
    ranks = [json.loads(found) for found in sorted(re.findall(r'\{"rank"[^}]*\}', done.stdout))]
    assert [rank.pop("rank") for rank in ranks] == [0, 1]
    assert ranks[0] == ranks[1]
    assert ranks[0]["tensor_parallel_size"] == 2
    tokens = ranks[0]["token_ids"]
    assert [len(answer) for answer in tokens] == [16, 16]
    if accelerator == "cpu":  # in bfloat16 another order of the sum may pick another token
        greedy = SamplingParams(temperature=0, max_tokens=16)
        outputs = request.getfixturevalue("alone").generate(
            ["San Francisco is", "One and one is"], greedy, use_tqdm=False
        )
        assert tokens == [list(output.outputs[0].token_ids) for output in outputs]


@pytest.mark.block("how_to/hip_graphs.py", "sizes", "construct", "resolved")
def test_vllm_resolves_what_the_page_says(alone: "LLM", accelerator: str, evidence: Any) -> None:
    evidence.passed(tensor_parallel_size=1, **INSTEAD.get(accelerator, {}))
    found = page.resolved(alone)
    # vLLM's CPU platform has no graphs: it empties the list and turns the mode off.
    graphs = ("NONE", []) if accelerator == "cpu" else ("FULL_AND_PIECEWISE", page.CAPTURE_SIZES)
    assert (found.pop("cudagraph_mode"), found.pop("capture_sizes")) == graphs
    assert found == {
        "executor": "external_launcher",
        "tensor_parallel_size": 1,
        "enforce_eager": False,
        "max_num_seqs": page.MAX_NUM_SEQS,
    }
    config = alone.llm_engine.vllm_config
    assert config.scheduler_config.max_num_batched_tokens == 8192
    assert config.scheduler_config.enable_chunked_prefill
    assert config.cache_config.enable_prefix_caching
    assert config.cache_config.gpu_memory_utilization == 0.5
    assert config.model_config.max_model_len == 4096
    assert config.model_config.seed == 0
    assert config.parallel_config.disable_custom_all_reduce


@pytest.mark.block("how_to/hip_graphs.py", "without_graph")
def test_vllm_dispatches_no_graph_above_the_largest_size(alone: "LLM") -> None:
    assert page.without_graph(page.CAPTURE_SIZES, 256) == range(65, 257)
    assert not page.without_graph(page.CAPTURE_SIZES, 64)
    assert page.without_graph([], 4) == range(1, 5)
    config = alone.llm_engine.vllm_config
    compilation = config.compilation_config
    with pytest.MonkeyPatch.context() as patch:  # the lists that the CPU platform emptied
        patch.setattr(compilation, "cudagraph_capture_sizes", page.CAPTURE_SIZES)
        patch.setattr(compilation, "max_cudagraph_capture_size", max(page.CAPTURE_SIZES))
        dispatcher = CudagraphDispatcher(config)
        dispatcher.initialize_cudagraph_keys(CUDAGraphMode.FULL_DECODE_ONLY)
        batches = range(1, page.MAX_NUM_SEQS + 1)
        found = [n for n in batches if dispatcher.dispatch(n, uniform_decode=True)[0] == CUDAGraphMode.NONE]
    assert found == list(page.without_graph(page.CAPTURE_SIZES, page.MAX_NUM_SEQS))


@pytest.mark.block("how_to/hip_graphs.py", "construct")
def test_the_old_argument_is_refused(model: str) -> None:
    with pytest.raises(TypeError, match="disable_mm_preprocessor_cache"):
        EngineArgs(model=model, disable_mm_preprocessor_cache=True)
