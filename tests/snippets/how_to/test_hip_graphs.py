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
    ranks = [json.loads(line) for line in sorted(re.findall(r'\{"rank"[^}]*\}', done.stdout))]
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
    report = page.resolved(alone)
    # vLLM's CPU platform has no graphs: it empties the list and turns the mode off.
    graphs = ("NONE", []) if accelerator == "cpu" else ("FULL_AND_PIECEWISE", page.CAPTURE_SIZES)
    assert (report.pop("cudagraph_mode"), report.pop("capture_sizes")) == graphs
    assert report == {
        "executor": "external_launcher",
        "tensor_parallel_size": 1,
        "max_num_seqs": page.MAX_NUM_SEQS,
    }
    config = alone.llm_engine.vllm_config
    assert config.cache_config.gpu_memory_utilization == 0.5
    assert config.model_config.max_model_len == 4096
    assert config.parallel_config.disable_custom_all_reduce
    # What the page leaves to vLLM.
    assert not config.model_config.enforce_eager
    assert config.scheduler_config.enable_chunked_prefill
    assert config.cache_config.enable_prefix_caching
    assert config.model_config.seed == 0


def dispatched(llm: "LLM", sizes: list[int]) -> dict[int, int | None]:
    """The size of the graph on which vLLM runs each decode batch up to MAX_NUM_SEQS; None without a graph."""
    config = llm.llm_engine.vllm_config
    compilation = config.compilation_config
    with pytest.MonkeyPatch.context() as patch:  # the lists that the CPU platform emptied
        patch.setattr(compilation, "cudagraph_capture_sizes", sizes)
        patch.setattr(compilation, "max_cudagraph_capture_size", max(sizes))
        dispatcher = CudagraphDispatcher(config)
        dispatcher.initialize_cudagraph_keys(CUDAGraphMode.FULL_DECODE_ONLY)
        pairs = {n: dispatcher.dispatch(n, uniform_decode=True) for n in range(1, page.MAX_NUM_SEQS + 1)}
    return {n: None if mode == CUDAGraphMode.NONE else batch.num_tokens for n, (mode, batch) in pairs.items()}


@pytest.mark.block("how_to/hip_graphs.py", "sizes")
def test_every_decode_batch_has_a_graph(alone: "LLM") -> None:
    """Fails when the list ends below MAX_NUM_SEQS; the second list is the one that the page warns of."""
    graphs = dispatched(alone, page.CAPTURE_SIZES)
    assert None not in graphs.values()
    assert (graphs[1], graphs[65], graphs[129], graphs[256]) == (1, 128, 256, 256), "the next larger size"
    short = dispatched(alone, [1, 2, 4, 8, 16, 32, 64])
    assert [n for n, size in short.items() if size is None] == list(range(65, 257))


@pytest.mark.block("how_to/hip_graphs.py", "construct")
def test_the_old_argument_is_refused(model: str) -> None:
    with pytest.raises(TypeError, match="disable_mm_preprocessor_cache"):
        EngineArgs(model=model, disable_mm_preprocessor_cache=True)
