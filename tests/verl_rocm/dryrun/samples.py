"""An answer as the child writes it, with whatever a test changes; the models of the wire check it."""

from __future__ import annotations

from typing import Any

from verl_rocm.dryrun import findings, issues
from verl_rocm.dryrun.report import Report
from verl_rocm.dryrun.resolve import releases
from verl_rocm.facts.load import load
from verl_rocm.worker.wire import (
    ROLLOUT,
    Attention,
    Graphs,
    Identity,
    Model,
    Precision,
    Resolution,
    Runner,
    Sizes,
    Sleep,
    Trace,
)

R = ROLLOUT
VERSIONS = {"vllm": "0.24.0", "verl": "0.9.1"}
GPU = Identity(name="MI300X", arch="gfx942", memory_gib=192, pci="0x74a1", compute_units=304, fp8="e4m3fnuz", count=8)
MI355X = GPU.model_copy(update={"name": "MI355X", "arch": "gfx950", "memory_gib": 288, "fp8": "e4m3fn"})


def row(argument: str, verl: Any, vllm: Any, sent: str | None = None, override: str | None = None) -> Trace:
    """One row of the journey."""
    return Trace(
        argument=argument, key=f"{R}.{argument}", override=override, verl=verl, sent=sent, vllm=vllm, known=True
    )


SAMPLE = Resolution(
    model=Model(
        named="Qwen/Qwen2.5-7B-Instruct", source="bundled", architecture="Qwen2ForCausalLM", moe=False, hybrid=False
    ),
    sizes=Sizes(gpus_per_node=8, nodes=1, gpus_of_one_engine=2, replicas=4, nodes_of_one_engine=1),
    journey=(
        row("enforce_eager", False, False, override="False"),
        row("max_num_seqs", 256, 256, "--max_num_seqs 256"),
    ),
    command=("vllm", "serve"),
    graphs=Graphs(
        mode="FULL_AND_PIECEWISE",
        sizes=(1, 2, 4, 256),
        max=256,
        compilation="VLLM_COMPILE",
        requested={"cudagraph_mode": "FULL_AND_PIECEWISE"},
    ),
    runner=Runner(executor="MultiprocExecutor", worker="vllm.v1.worker.gpu_worker.Worker", model_runner="V2"),
    precision=Precision(fp8="float8_e4m3fnuz", supports_fp8=True, capability="9.4"),
    sleep=Sleep(mode="hybrid", free_cache_engine=True, pool=True, level=2),
    attention=(Attention(aiter=False, switch=None, backend="ROCM_ATTN", block_size=16, graphs="ALWAYS"),),
    environment={},
    overrides={},
    others=(),
    resolved={
        "max_num_seqs": 256,
        "max_num_batched_tokens": 8192,
        "enforce_eager": False,
        "tensor_parallel_size": 2,
        "quantization": None,
    },
    config={},
    warnings=(),
)


def resolution(**changes: Any) -> Resolution:
    """The sample with ``changes``; a dictionary changes some fields of a part."""
    fields: dict[str, object] = {}
    for name, value in changes.items():
        before = getattr(SAMPLE, name)
        if isinstance(value, dict) and isinstance(before, dict):
            value = before | value
        elif isinstance(value, dict):
            value = before.model_copy(update=value)
        fields[name] = value
    return Resolution.model_validate(SAMPLE.model_copy(update=fields).model_dump())


def subject(gpu: Identity = GPU, exported: dict[str, str] | None = None, **changes: Any) -> findings.Subject:
    """What the rules of findings look at."""
    return findings.Subject(resolution(**changes), gpu, load(), VERSIONS, exported or {})


def report(
    gpu: Identity = GPU, rocm: str | None = "7.2.1", exported: dict[str, str] | None = None, **changes: Any
) -> Report:
    """A finished report of the sample."""
    about = subject(gpu, exported, **changes)
    return Report(
        gpu=gpu,
        rocm=rocm,
        launcher="verl.trainer.main_ppo",
        resolution=about.job,
        findings=findings.find(about),
        issues=issues.matches(load(), about.job, gpu, releases(VERSIONS, rocm)),
    )
