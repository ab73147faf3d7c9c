"""A small sound base of facts in a folder, for tests that plant one fault in it."""

from __future__ import annotations

import json
from pathlib import Path

SETTING = """\
[[setting]]
id = "chunk-size"
name = "VLLM_CHUNK"
where = "env"
read_by = "vllm"
what = "Size of a chunk."
kind = "int"
unit = "MiB"
versions = {vllm = ">=0.2"}
default = [{value = 256, set_by = "vllm"}]
advice = [{value = 512, for_whom = "large models", why = "Fewer calls."}]
evidence = [{type = "pr", repo = "vllm-project/vllm", number = 12695, state = "merged", read = 2026-11-01}]
checked = 2026-11-01
see = ["full"]

[[setting]]
id = "eager"
name = "enforce_eager"
where = "vllm"
read_by = "vllm"
what = "No graphs."
kind = "bool"
default = [{value = false, set_by = "vllm"}]
evidence = [{type = "page", url = "https://docs.vllm.ai/en/latest/", read = 2026-11-01}]
checked = 2026-11-01
"""
ISSUE = """\
[[issue]]
id = "full"
title = "VRAM stays full"
group = "vram-stays-full"
description = "Memory is not freed."
symptoms = ["HIP out of memory"]
cause = "The address stays reserved."
diagnosis = "Compare free memory before and after."
fixes = [{text = "Larger chunks.", settings = {VLLM_CHUNK = 512}}]
applies_when = {sleep = true}
versions = {vllm = ">=0.2,<0.3", archs = ["gfx942"]}
fixed_in = [{vllm = ">=0.3"}]
confidence = "reported"
evidence = [{type = "issue", repo = "vllm-project/vllm", number = 1, read = 2026-11-01}]
checked = 2026-11-01
"""
OTHER = ISSUE.replace('id = "full"', 'id = "crash"').replace("= 512", "= 128")
GPU = """\
[[gpu]]
name = "MI300X"
arch = "gfx942"
memory_gib = 192
bandwidth_tbs = 5.3
compute_units = 304
fp8 = "e4m3fnuz"
matrix_tflops = {fp32 = 163.4, fp16 = 1307.4, bf16 = 1307.4, fp8 = 2614.9, fp6 = "none", fp4 = "none"}
infinity_cache_mib = 256
links = {unknown = "no source"}
link_gbs = 64.0
host_gbs = 64.0
partition_modes = ["SPX", "CPX"]
board_watts = 750
pci = ["0x74a1"]
evidence = [{type = "page", url = "https://rocm.docs.amd.com/", read = 2026-11-01}]
checked = 2026-11-01
"""


def contract(project: str, version: str) -> dict[str, object]:
    """A tiny release contract."""
    if project == "verl":
        return {"release": version, "whole": True, "keys": {"trainer.nnodes": {"default": 1}}, "env": {}}
    env = {"VLLM_CHUNK": {"by": ["c++"], "default": "256"}} if version >= "0.2" else {}
    return {
        "release": version,
        "whole": True,
        "engine_args": {"enforce_eager": {"default": False}},
        "env": env,
        "rocm": {"archs": ["gfx942", "gfx950"]},
    }


def write(folder: Path, **texts: str) -> Path:
    """A sound base below ``folder``, with the given texts in place of ``settings``, ``issues`` or ``gpus``."""
    for part in ("settings", "known_issues", "vllm", "verl"):
        (folder / part).mkdir(parents=True)
    (folder / "gpus.toml").write_text(texts.get("gpus", GPU))
    (folder / "settings" / "sleep.toml").write_text(texts.get("settings", SETTING))
    (folder / "known_issues" / "sleep.toml").write_text(texts.get("issues", ISSUE))
    for project, versions in {"vllm": ("0.1.0", "0.2.0", "0.3.0"), "verl": ("0.9.1",)}.items():
        for version in versions:
            (folder / project / f"{version}.json").write_text(json.dumps(contract(project, version)))
    return folder
