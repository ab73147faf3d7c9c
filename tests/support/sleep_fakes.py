"""Stand-ins for the sleep-mode check: amdsmi as the wheel amdsmi 7.0.2 offers it, and an engine that sleeps in memory.

Nothing that ran on these is a run of sleep mode.
"""

from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

GIB, MIB = 2**30, 2**20


def fake_amdsmi(
    used_mib: list[int], hip_ids: list[int] | None, total_mib: int = 196608, error: Exception | None = None
) -> ModuleType:
    """A module `amdsmi`: GPU n of its list uses `used_mib[n]` and is HIP's GPU `hip_ids[n]` (None: too old to say)."""
    module: Any = ModuleType("amdsmi")
    started: list[bool] = []

    def checked(gpu: int) -> int:
        assert started, "amdsmi was used before amdsmi_init()"
        return gpu

    def init() -> None:
        if error:
            raise error
        started.append(True)

    module.amdsmi_init = init
    module.amdsmi_get_processor_handles = lambda: [checked(gpu) for gpu in range(len(used_mib))]
    module.amdsmi_get_gpu_vram_usage = lambda gpu: {"vram_total": total_mib, "vram_used": used_mib[checked(gpu)]}
    if hip_ids is not None:
        module.amdsmi_get_gpu_enumeration_info = lambda gpu: {"hip_id": hip_ids[checked(gpu)], "hip_uuid": f"GPU-{gpu}"}
    return module  # type: ignore[no-any-return]


@dataclass
class FakeEngine:
    """An engine of 2 GPUs with 4 GiB of weights and 6 GiB of KV cache on each; `faults` break it in one way.

    Its answers depend on what a real engine's depend on: the weights, and cached KV blocks of the long prompt.
    """

    faults: tuple[str, ...] = ()
    asleep: set[str] = field(default_factory=set)
    weights: str = "good"
    cached: str = ""
    used_gib: list[float] = field(default_factory=lambda: [12.0, 12.0])
    calls: list[str] = field(default_factory=list)
    readings: list[float] = field(default_factory=list)
    name: str = "fake"  # it is its own counter

    SIZES: ClassVar = {"weights": 4.0, "kv_cache": 6.0}
    EXPECTED: ClassVar = 10 * GIB

    def __post_init__(self) -> None:
        config = SimpleNamespace(cache_config=SimpleNamespace(block_size=16))
        self.llm_engine = SimpleNamespace(is_sleeping=lambda: bool(self.asleep), vllm_config=config)

    def get_tokenizer(self) -> Any:
        return SimpleNamespace(encode=str.split)

    def used(self) -> tuple[int, ...]:
        self.calls.append("read")
        if "neighbour" in self.faults:
            self.used_gib[1] += 1
        self.readings.append(self.used_gib[1])
        second = self.readings[-4:][0] if "second GPU is late" in self.faults else self.used_gib[1]
        return round(self.used_gib[0] * GIB), round(second * GIB)

    def reset_prefix_cache(self) -> None:
        self.cached = ""

    def sleep(self, level: int) -> None:
        self.calls.append(f"sleep {level}")
        self.asleep = set(self.SIZES)
        self.weights = self.weights if level == 1 else "lost"
        if "keeps prefix cache" not in self.faults:
            self.reset_prefix_cache()
        elif self.cached:
            self.cached = "stale"
        for gpu in range(1 if "one GPU sleeps" in self.faults else 2):
            self.used_gib[gpu] -= sum(self.SIZES.values())

    def wake_up(self, tags: list[str] | None = None) -> None:
        self.calls.append(f"wake {tags}")
        if "wake-up raises" in self.faults:
            raise RuntimeError("HIP error: invalid argument\nmore lines")
        if "wake-up asserts" in self.faults:
            raise AssertionError
        for tag in sorted(self.asleep if tags is None else self.asleep & set(tags)):
            if "kv_cache stays asleep" in self.faults and tag == "kv_cache":
                continue
            self.asleep.remove(tag)
            for gpu in range(1 if "one GPU sleeps" in self.faults else 2):
                self.used_gib[gpu] += self.SIZES[tag]

    def collective_rpc(self, method: str) -> list[Any]:
        self.calls.append(method)
        assert method == "reload_weights" and "weights" not in self.asleep, "weights are loaded into no memory"
        self.weights = "good"
        return [None]

    def generate(self, prompts: list[str], params: Any, use_tqdm: bool) -> list[Any]:
        self.calls.append("generate" if not self.asleep else "hangs")
        return [self.answer(prompt) for prompt in prompts]

    def answer(self, prompt: str) -> Any:
        text = self.weights
        if len(prompt.split()) > 32:
            text = self.cached if self.cached == "stale" else self.weights
            self.cached = self.cached or self.weights
        tokens = [ord(letter) for letter in text]
        logprobs = [{token: SimpleNamespace(logprob=-0.5)} for token in tokens]
        return SimpleNamespace(outputs=[SimpleNamespace(text=text, token_ids=tokens, logprobs=logprobs)])
