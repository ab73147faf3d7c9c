"""Accept a vLLM for ROCm, or refuse it, before a job depends on it.

    python3 accept_vllm.py

One line per check.  Exit code 0: all passed; 1: at least one failed; 2: none failed,
but not all could run.
"""

import argparse
import importlib
import importlib.util
import mmap
import multiprocessing
import platform
import re
import signal
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions, version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

PASS, FAIL, NOT_RUN = "PASS", "FAIL", "NOT RUN"
# Largest difference from the reference, as a share of its largest value.
# bfloat16 rounds to 0.004.
LIMIT = 0.01


class Verdict(NamedTuple):
    word: str
    text: str


def python() -> Verdict:
    """vLLM's ROCm wheels are for one Python; with another, pip takes the CUDA wheel."""
    return Verdict(PASS, f"{platform.python_version()}, {sys.executable}")


def torch_build() -> Verdict:
    """PyTorch must be a ROCm build."""
    torch = importlib.import_module("torch")
    if torch.version.hip:
        return Verdict(PASS, f"{torch.__version__}, HIP {torch.version.hip}")
    kind = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU"
    return Verdict(
        FAIL,
        f"{torch.__version__} is built for {kind}: "
        "install PyTorch for ROCm, then vLLM again",
    )


def vllm_build() -> Verdict:
    """vLLM's kernels must be built for ROCm: the files show it, not the version."""
    folder = vllm_folder()
    name = packages_distributions().get("vllm", ["vllm"])[0]
    package = f"{name} {version(name)}"
    if sorted(folder.glob("_rocm_C*")):
        return Verdict(PASS, f"{package} has ROCm kernels")
    kernels = sorted(folder.glob("_C*.so"))
    kind = (
        "CUDA"
        if any(strings(file, rb"libcudart\.so") for file in kernels)
        else "another platform than ROCm"
    )
    return Verdict(
        FAIL,
        f"{package} is built for {kind}: "
        "take the ROCm wheel (Python 3.12), the image, or build it",
    )


def vllm_folder() -> Path:
    """Where vLLM lies, without importing it."""
    spec = importlib.util.find_spec("vllm")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no vLLM in {sys.executable}")
    return Path(spec.origin).parent


def strings(file: Path, pattern: bytes) -> set[str]:
    """All distinct matches of ``pattern`` in a file of any size."""
    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text,
    ):
        return {match[0].decode() for match in re.finditer(pattern, text)}


def gpu_archs() -> list[str]:
    """Architecture of each visible GPU, such as gfx942."""
    torch = importlib.import_module("torch")
    if not torch.version.hip or not torch.cuda.is_available():
        return []
    gpus = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [gpu.gcnArchName.split(":")[0] for gpu in gpus]


def torch_archs() -> Verdict:
    """PyTorch must hold code for each GPU."""
    archs = importlib.import_module("torch").cuda.get_arch_list()
    return covers("torch", [arch for arch in archs if arch.startswith("gfx")])


def vllm_archs() -> Verdict:
    """vLLM's kernels must hold code for each GPU; the library names its targets."""
    built = {
        arch
        for file in vllm_folder().glob("_rocm_C*.so")
        for arch in strings(file, rb"(?<=amdhsa--)gfx[0-9a-f]+")
    }
    return covers("vLLM", sorted(built))


def covers(what: str, built: list[str]) -> Verdict:
    """Whether code for every visible GPU is among ``built``."""
    gpus = gpu_archs()
    if not built:
        return Verdict(NOT_RUN, f"{what} names no AMD architecture in its files")
    if not gpus:
        return Verdict(
            NOT_RUN,
            f"{what} is built for {' '.join(built)}; "
            "no AMD GPU is visible to compare with",
        )
    if missing := sorted(set(gpus) - set(built)):
        return Verdict(
            FAIL,
            f"{what} is built for {' '.join(built)}, the GPU is {missing[0]}: "
            "take or make a build for it",
        )
    return Verdict(
        PASS,
        f"{what} is built for {' '.join(built)}; "
        f"GPUs here: {len(gpus)} x {' '.join(sorted(set(gpus)))}",
    )


def kernels() -> Verdict:
    """vLLM only warns when its ROCm kernels cannot be loaded, and fails later."""
    importlib.import_module("torch")  # first: it brings the ROCm libraries
    importlib.import_module("vllm._rocm_C")
    return Verdict(PASS, "vllm._rocm_C can be imported")


def sleep_mode() -> Verdict:
    """Sleep mode needs vLLM's own allocator."""
    if importlib.import_module("vllm.device_allocator.cumem").cumem_available:
        return Verdict(PASS, "the allocator behind sleep mode can be loaded")
    return Verdict(
        FAIL,
        "no vllm.cumem_allocator: this build has no sleep mode; "
        "start with enable_sleep_mode=False",
    )


def matmul(device: str = "cuda", size: int = 2048) -> Verdict:
    """One bfloat16 matrix product on ``device`` against float64 on the CPU."""
    torch = importlib.import_module("torch")
    if device == "cuda" and not gpu_archs():
        return Verdict(NOT_RUN, "no AMD GPU is visible to this torch")
    generator = torch.Generator().manual_seed(0)
    left, right = (
        torch.randn(size, size, generator=generator, dtype=torch.bfloat16)
        for _ in range(2)
    )
    reference = left.double() @ right.double()
    return judge(
        (left.to(device) @ right.to(device)).cpu(),
        reference,
        f"{size} x {size} in bfloat16 on {device}",
    )


def judge(got: Any, reference: Any, what: str) -> Verdict:
    """Whether ``got`` is finite and within ``LIMIT`` of ``reference``."""
    error = float((got.double() - reference).abs().max() / reference.abs().max())
    return Verdict(
        PASS if error <= LIMIT else FAIL,
        f"{what}: off by {error:.2g} of the largest value, limit {LIMIT}",
    )


# [start:graph]
def graph(size: int = 1024) -> Verdict:
    """Capture one layer in a HIP graph, replay it on new input, compare with eager."""
    torch = importlib.import_module("torch")
    if not gpu_archs():
        return Verdict(NOT_RUN, "no AMD GPU is visible to this torch")
    weight, first, second = (
        torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(3)
    )

    def layer(x: Any) -> Any:
        return torch.relu(x @ weight)

    static = first.clone()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # warm up outside the graph, as PyTorch asks
        layer(static)
    torch.cuda.current_stream().wait_stream(stream)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        out = layer(static)
    return replay(captured.replay, static, out, second, layer)


def replay(
    play: Callable[[], None],
    static: Any,
    out: Any,
    fresh: Any,
    layer: Callable[[Any], Any],
) -> Verdict:
    """Replay with ``fresh`` as input; a stale or wrong output differs from eager."""
    static.copy_(fresh)
    play()
    return judge(out.cpu(), layer(fresh).double().cpu(), "graph replay against eager")


# [end:graph]


# [start:checks]
CHECKS: dict[str, Callable[[], Verdict]] = {
    "python": python,
    "torch": torch_build,
    "vllm": vllm_build,
    "torch archs": torch_archs,
    "vllm archs": vllm_archs,
    "kernels": kernels,
    "sleep mode": sleep_mode,
    "matmul": matmul,
    "graph": graph,
}
# [end:checks]


def work(names: list[str], results: Connection) -> None:
    """Run the checks and send each verdict; an exception is a verdict too."""
    for name in names:
        try:
            verdict = CHECKS[name]()
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            verdict = Verdict(FAIL, f"{type(error).__name__}: {lines[0]}"[:160])
        results.send(verdict)


def run(names: list[str], seconds: float) -> list[Verdict]:
    """The verdicts in order, from a second process: a faulty GPU stack may kill it."""
    context = multiprocessing.get_context("spawn")
    verdicts: list[Verdict] = []
    while len(verdicts) < len(names):
        here, there = context.Pipe(duplex=False)
        child = context.Process(
            target=work, args=(names[len(verdicts) :], there), daemon=True
        )
        child.start()
        there.close()
        try:
            while len(verdicts) < len(names) and here.poll(seconds):
                verdicts.append(here.recv())
                show(names[len(verdicts) - 1], verdicts[-1])
            ended = f"no answer after {seconds:g} s"
        except EOFError:  # the process is gone: the check that it was in ended it
            child.join()
            code = child.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            ended = f"the process died: {how}"
        child.kill()
        if len(verdicts) < len(names):
            verdicts.append(Verdict(FAIL, ended))
            show(names[len(verdicts) - 1], verdicts[-1])
    return verdicts


def show(name: str, verdict: Verdict) -> None:
    """Print one line."""
    print(f"{verdict.word:8} {name:12} {verdict.text}", flush=True)


def main() -> int:
    """Print all verdicts and what they mean together."""
    parser = argparse.ArgumentParser(
        description="Accept a vLLM for ROCm, or refuse it."
    )
    parser.add_argument(
        "--seconds", type=float, default=300, help="longest time for one check"
    )
    words = [verdict.word for verdict in run(list(CHECKS), parser.parse_args().seconds)]
    if FAIL in words:
        print(f"refused: {words.count(FAIL)} of {len(words)} checks failed")
        return 1
    if NOT_RUN in words:
        print(
            f"not decided: {words.count(NOT_RUN)} of {len(words)} checks could not run"
        )
        return 2
    print(f"accepted: {len(words)} of {len(words)} checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
