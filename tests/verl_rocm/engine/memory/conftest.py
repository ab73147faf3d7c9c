"""Engines of these tests start in the test's own process, with the KV cache that a test gives them."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def own_process() -> Iterator[None]:
    """Variables of vLLM for these engines; the doctest plugin's size of the KV cache would win over an argument."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        patch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
        yield
