"""A setting and a value as a line, for every target; and every fix of the facts on every surface."""

from __future__ import annotations

import shlex

import pytest

from verl_rocm.facts.load import load
from verl_rocm.facts.schema import Value
from verl_rocm.finding import remedy
from verl_rocm.paste import ENV_VARS, KWARGS, ROLLOUT, UNSET, Target, lines, paste

FACTS = load()
FIXES = [(issue, fix) for issue in FACTS.issues.values() for fix in issue.fixes if fix.settings]


@pytest.mark.parametrize(
    ("name", "value", "target", "line"),
    [
        ("HSA_ENABLE_IPC_MODE_LEGACY", 1, "shell", "export HSA_ENABLE_IPC_MODE_LEGACY=1"),
        ("NCCL_IB_HCA", "mlx5_0:1,mlx5_1:1", "shell", "export NCCL_IB_HCA=mlx5_0:1,mlx5_1:1"),
        ("PYTORCH_ROCM_ARCH", "gfx942;gfx950", "shell", "export PYTORCH_ROCM_ARCH='gfx942;gfx950'"),
        ("NCCL_NET_GDR_LEVEL", UNSET, "shell", "unset NCCL_NET_GDR_LEVEL"),
        ("HSA_ENABLE_IPC_MODE_LEGACY", 1, "container", "-e HSA_ENABLE_IPC_MODE_LEGACY=1"),
        ("HSA_ENABLE_IPC_MODE_LEGACY", 1, "python", "os.environ['HSA_ENABLE_IPC_MODE_LEGACY'] = '1'"),
        ("HSA_ENABLE_IPC_MODE_LEGACY", 1, "override", f"++{ENV_VARS}.HSA_ENABLE_IPC_MODE_LEGACY='\"1\"'"),
        ("NCCL_NET_GDR_LEVEL", UNSET, "override", "unset NCCL_NET_GDR_LEVEL"),
        (f"{ROLLOUT}.free_cache_engine", False, "override", f"{ROLLOUT}.free_cache_engine=False"),
        (f"{ROLLOUT}.enable_sleep_mode", True, "override", f"++{ROLLOUT}.enable_sleep_mode=True"),  # no file has it
        (f"{ROLLOUT}.cudagraph_capture_sizes", [1, 2], "shell", f"'{ROLLOUT}.cudagraph_capture_sizes=[1,2]'"),
        (f"{KWARGS}.disable_custom_all_reduce", True, "shell", f"++{KWARGS}.disable_custom_all_reduce=True"),
        ("kv_cache_dtype", "auto", "override", f"++{KWARGS}.kv_cache_dtype=auto"),
        ("kv_cache_dtype", "auto", "python", "kv_cache_dtype='auto'"),
        (
            "cudagraph_mode",
            "FULL_DECODE_ONLY",
            "shell",
            f"++{KWARGS}.compilation_config.cudagraph_mode=FULL_DECODE_ONLY",
        ),
        ("cudagraph_mode", "NONE", "python", "compilation_config={'cudagraph_mode': 'NONE'}"),
        ("--cap-add", "SYS_PTRACE", "shell", "docker run --cap-add=SYS_PTRACE ..."),
        ("kernel.numa_balancing", 0, "shell", "sudo sysctl kernel.numa_balancing=0"),
        ("iommu=pt", "iommu=pt", "shell", "iommu=pt"),
        ("VLLM_NO_SUCH_THING", 1, "shell", ""),
        (f"{ROLLOUT}.gpu_memory_utilization", "measure", "override", ""),
    ],
)
def test_the_line_to_paste(name: str, value: Value, target: str, line: str) -> None:
    assert paste(FACTS, name, value, Target(target)) == line


def test_several_variables_that_go_share_a_line() -> None:
    settings: dict[str, Value] = {"NVTE_FUSED_ATTN": UNSET, "NVTE_FLASH_ATTN": UNSET, "VLLM_ROCM_USE_AITER": 0}
    assert lines(FACTS, settings, Target.SHELL) == (
        "unset NVTE_FUSED_ATTN NVTE_FLASH_ATTN",
        "export VLLM_ROCM_USE_AITER=0",
    )


@pytest.mark.parametrize("target", [Target.SHELL, Target.OVERRIDE])
def test_every_fix_with_a_setting_has_its_lines_on_every_surface(target: Target) -> None:
    assert len(FIXES) > 50
    for issue, fix in FIXES:
        written = remedy(FACTS, fix, target)
        assert written.lines, issue.id
        assert all(line == line.strip() and shlex.split(line) for line in written.lines), issue.id  # a shell takes it
        assert not any(line in fix.text for line in written.lines), issue.id  # said once


def test_no_fix_hides_a_line_in_its_prose_or_begins_as_an_alternative() -> None:
    texts = [fix.text for issue in FACTS.issues.values() for fix in issue.fixes]
    assert [text for text in texts if text.startswith(("Or ", "And "))] == []
    assert [text for text in texts if any(f"`{start}" in text for start in ("+", "export ", "unset ", "pip "))] == []


def test_a_release_is_said_on_every_surface() -> None:
    for issue in FACTS.issues.values():
        for fix in issue.fixes:
            for spec in (fix.upgrade.ranges() if fix.upgrade else {}).values():
                assert spec in remedy(FACTS, fix, Target.OVERRIDE).sentence()
