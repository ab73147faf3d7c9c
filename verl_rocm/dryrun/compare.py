"""What differs between several results: GPUs, or releases of vLLM."""

from __future__ import annotations

from typing import Any

from .report import short

Result = dict[str, Any]


def flat(result: Result) -> dict[str, str]:
    """A result as lines that can be compared; problems count as a line of their own."""
    if "problem" in result:
        return {"refused": result["problem"]["message"]}
    made: dict[str, str] = {}
    for row in result["journey"]:
        made[f"{row['argument']} (sent)"] = short(row["sent"])
        made[row["argument"]] = short(row["vllm"])
    made |= {f"graphs: {key}": short(result["graphs"][key]) for key in ("mode", "sizes", "max", "compilation")}
    for row in result["attention"]:
        switch = f"AITER installed, switch {row['VLLM_ROCM_USE_AITER'] or 'unset'}" if row["aiter"] else "no AITER"
        made[f"attention, {switch}"] = (
            row.get("error") or f"{row['backend']}, block {row['block_size']}, {row['graphs']}"
        )
    made |= {key.replace("_", " "): str(value) for key, value in result["runner"].items()}
    made["FP8 format"] = result["gpu"]["fp8"]
    made["sleep level"] = str(result["sleep"]["level"])
    made |= {f"resolved: {key}": short(value) for key, value in result["resolved"].items() if key not in made}
    made |= {f"environment: {key}": value for key, value in result["environment"].items()}
    made |= {f"finding {item['id']}": item["text"] for item in result["findings"]}
    made |= {f"issue {item['id']}": item["state"] for item in result["issues"]}
    return made


def differences(results: list[Result]) -> list[tuple[str, list[str]]]:
    """Lines whose values differ, in the order of the first result that has them; ``-`` where a result lacks one."""
    lines = [flat(result) for result in results]
    names = list(dict.fromkeys(name for line in lines for name in line))
    rows = [(name, [line.get(name, "-") for line in lines]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]
