"""verl's trainer on a machine without an accelerator, through the doors that verl and vLLM leave for plugins.

For tests only.  Nothing of verl, vLLM or Ray is edited: :func:`write_packages` announces the plugin to vLLM, the
variables of :func:`environment` announce it to verl, and :data:`OVERRIDES` asks verl for what a CPU can do.
What such a run leaves out is :data:`NOT_EXERCISED`.
"""

import contextlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NOT_EXERCISED = (
    "GPU memory: sleep and wake-up free nothing, memory figures are 0",
    "HIP graphs and torch.compile: the engine runs eagerly",
    "CUDA/HIP IPC: weights go from actor to engine through shared memory",
    "RCCL: ranks talk through gloo; the asynchronous run hands weights over in files",
    "flash attention, AITER and vLLM's packed CPU kernels: attention is sdpa, linear layers are plain",
    "device visibility: Ray's GPU is a number that stands for a place",
    "speed, and whether a real model learns: model, data and batch are toys",
)

# What a CPU cannot do, and sizes for two cores.  Everything else is the recipe's.
OVERRIDES = (
    "trainer.device=cpu",
    "actor_rollout_ref.model.use_remove_padding=False",
    "+actor_rollout_ref.model.override_config.attn_implementation=sdpa",
    "actor_rollout_ref.actor.use_torch_compile=False",
    "actor_rollout_ref.rollout.enforce_eager=True",
    "actor_rollout_ref.rollout.cudagraph_capture_sizes=null",
    "actor_rollout_ref.rollout.free_cache_engine=False",
    "++actor_rollout_ref.rollout.enable_sleep_mode=False",
    "actor_rollout_ref.rollout.max_model_len=128",
    "actor_rollout_ref.rollout.max_num_seqs=64",
    "actor_rollout_ref.rollout.max_num_batched_tokens=1024",
    "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=8",
    "actor_rollout_ref.rollout.agent.num_workers=1",
    "reward.num_workers=1",
    "transfer_queue.backend.SimpleStorage.num_data_storage_units=1",
    "data.dataloader_num_workers=0",
    "ray_kwargs.ray_init.num_cpus=64",
    "+ray_kwargs.ray_init.include_dashboard=False",
    "+ray_kwargs.ray_init.object_store_memory=200000000",
)


def watching(log: Path) -> dict[str, str]:
    """Variables with which a run on any device writes to ``log`` what :mod:`.watch` sees."""
    return {"VERL_USE_EXTERNAL_MODULES": f"{__name__}.watch", "VERL_ON_CPU_LOG": str(log)}


def environment() -> dict[str, str]:
    """Variables that choose the platform; :func:`write_packages` has to be on the path."""
    return {
        "VERL_PLATFORM": "cpu",
        "VERL_USE_EXTERNAL_MODULES": f"{__name__}.platform,{__name__}.watch",
        "VERL_ENGINE_DEVICE": "cuda",  # verl's own word for: take the FSDP engine that is registered for this device
        "VLLM_CPU_KVCACHE_SPACE": "1",
    }


def write_packages(directory: Path) -> Path:
    """Write what ``importlib.metadata`` reads of installed packages into ``directory``, and return it."""
    write_metadata(directory, "verl-on-cpu", "0", f"[vllm.general_plugins]\nverl_on_cpu = {__name__}.engine:register\n")
    write_vllm(directory)
    return directory


def write_vllm(directory: Path) -> None:
    """Announce the CPU engine, which is installed as ``vllm-cpu``, as ``vllm``.

    verl asks for the version of that distribution, and vLLM looks in it for the word "cpu".
    """
    with contextlib.suppress(PackageNotFoundError):
        write_metadata(directory, "vllm", version("vllm-cpu") + "+cpu")


def write_metadata(directory: Path, name: str, release: str, entry_points: str = "") -> None:
    """Write the ``dist-info`` of a package that has entry points and nothing else."""
    info = directory / f"{name}-{release}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n")
    (info / "entry_points.txt").write_text(entry_points)
