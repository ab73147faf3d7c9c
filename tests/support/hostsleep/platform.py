"""vLLM's CPU platform, except that it accepts ``enable_sleep_mode``; loaded before the rest of vLLM."""

from typing import Any

from vllm.platforms.cpu import CpuPlatform


class HostSleepCpuPlatform(CpuPlatform):
    """Chooses the backend and the worker of this package when sleep mode is asked for."""

    def is_sleep_mode_available(self) -> bool:
        return True

    @classmethod
    def check_and_update_config(cls, vllm_config: Any) -> None:
        if vllm_config.model_config is not None and vllm_config.model_config.enable_sleep_mode:
            vllm_config.model_config.sleep_mode_backend = "hostmem"
            vllm_config.parallel_config.worker_cls = "tests.support.hostsleep.worker.SleepingCpuWorker"
        super().check_and_update_config(vllm_config)
