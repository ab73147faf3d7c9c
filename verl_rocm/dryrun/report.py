"""The report for people: the journey of each setting, then what vLLM chose, findings and known issues."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import refusals

Result = dict[str, Any]
LIMIT = 46


def short(value: Any) -> str:
    """A value in one cell; ``-`` for nothing."""
    if value is None:
        return "-"
    if isinstance(value, list):
        text = ",".join(map(str, value))
        text = f"{','.join(map(str, value[:7]))},...,{value[-1]} ({len(value)})" if len(value) > 12 else text
        return f"[{text}]"
    text = str(value)
    return text if len(text) <= LIMIT else text[: LIMIT - 3] + "..."


def sent(row: dict[str, Any]) -> str:
    """The flag of vLLM's command line that carries a row; ``-`` for none."""
    return row["sent"].split(" ")[0] if row["sent"] else "-"


def mark(row: dict[str, Any]) -> str:
    """Why a row deserves a look."""
    if row["verl"] is False and row["sent"] is None:
        return "not sent" if row["vllm"] in (False, None) else "not sent, vLLM: True"
    if not row["known"]:
        return "not read back"
    if row["sent"] is None or isinstance(row["verl"], dict) or row["vllm"] is None:
        return ""
    return "" if str(row["verl"]).lower() == str(row["vllm"]).lower() else "changed"


def journey(result: Result, every: bool) -> Table:
    """Override -> verl -> command line -> vLLM; rows that nobody touched and that did not change only if ``every``."""
    table = Table(title="override -> verl -> vLLM", box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    table.add_column("setting", no_wrap=True)
    for name in ("override", "verl", "sent", "vLLM", ""):
        table.add_column(name, overflow="fold")
    for row in result["journey"]:
        why = mark(row)
        if not every and row["override"] is None and why in ("", "not sent", "not read back"):
            continue
        table.add_row(
            row["argument"],
            short(row["override"]),
            short(row["verl"]),
            sent(row),
            short(row["vllm"]),
            why,
            style="bold" if why else "",
        )
    return table


def chosen(result: Result) -> Table:
    """What nobody wrote and vLLM or verl decided."""
    table = Table(
        title="decided on the way", box=box.SIMPLE_HEAD, title_justify="left", show_header=False, pad_edge=False
    )
    table.add_column("what", no_wrap=True)
    table.add_column("value", overflow="fold")
    sizes, graphs, run = result["sizes"], result["graphs"], result["runner"]
    table.add_row(
        "engines",
        f"{sizes['replicas']}, each on {sizes['gpus_of_one_engine']} GPU(s); {sizes['nodes']} x "
        f"{sizes['gpus_per_node']} {result['gpu']['name']}",
    )
    table.add_row(
        "graphs",
        f"{graphs['mode']}, up to {graphs['max']} sequences ({len(graphs['sizes'])} sizes), "
        f"compilation {graphs['compilation']}",
    )
    for row in result["attention"]:
        label = (
            "AITER not installed" if not row["aiter"] else "AITER, switch " + (row["VLLM_ROCM_USE_AITER"] or "unset")
        )
        text = row.get("error") or f"{row['backend']}, block size {row['block_size']}, graphs {row['graphs']}"
        table.add_row("attention", f"{label}: {text}")
    table.add_row(
        "execution", f"{run['executor']}, {run['worker'].rpartition('.')[2]}, model runner {run['model_runner']}"
    )
    table.add_row("FP8 format", result["gpu"]["fp8"])
    table.add_row(
        "sleep",
        f"{result['sleep']['mode']}, pool {'on' if result['sleep']['pool'] else 'off'}, level "
        f"{result['sleep']['level'] or 'none'}",
    )
    sent_names = [f"{key}={value}" for key, value in result["environment"].items() if not key.startswith("HCCL")]
    table.add_row("environment", " ".join(sent_names))
    return table


def print_result(console: Console, result: Result, versions: dict[str, str], every: bool = False) -> None:
    """Print one result, or the one line of what refused it."""
    gpu = result["gpu"]
    head = f"{gpu['name']} ({gpu['arch']}, {gpu['memory_gib']} GiB)  vLLM {versions['vllm']}  verl {versions['verl']}"
    rocm = f"  ROCm {result['rocm']}" if result.get("rocm") else ""
    console.print(Text(f"dry run as {head}{rocm}: nothing ran on a GPU", style="bold"))
    if "problem" in result:
        console.print(Text(refusals.one_line(result["problem"]), style="red"))
        return
    model = result["model"]
    console.print(Text(f"model {model['asked']} ({model['source']}, {model['architecture']})\n"))
    rows = journey(result, every)
    console.print(rows if rows.row_count else "no setting was overridden or changed on the way (--all shows them)\n")
    console.print(chosen(result))
    for level, title, style in (("finding", "findings", "yellow"), ("note", "notes", "")):
        lines = [item for item in result["findings"] if item["level"] == level]
        if lines:
            console.print(Text(title, style="italic"))
        for item in lines:
            console.print(Text(f"* {item['text']}", style=style))
            if item["fix"]:
                console.print(Text(f"    {item['fix']}"), soft_wrap=True)
        if lines:
            console.print()
    print_issues(console, result)


def print_issues(console: Console, result: Result) -> None:
    """Print the known issues that await the job, then how many are avoided or undecided."""
    waiting = [item for item in result["issues"] if item["state"] == "awaits"]
    if waiting:
        console.print(Text("known issues for this GPU and these releases", style="italic"))
    for item in waiting:
        console.print(Text(f"* {item['title']} ({item['id']}, {item['confidence']})", style="yellow"))
        for fix in item["fixes"]:
            console.print(Text(f"    {fix}"), soft_wrap=True)
    undecided = "undecided, for want of a release" if result.get("rocm") else "undecided without --rocm"
    for state, words in (("avoided", "avoided by the job's own settings"), ("unknown", undecided)):
        names = [item["id"] for item in result["issues"] if item["state"] == state]
        if names:
            console.print(Text(f"{words}: {', '.join(names)}"))


def print_comparison(console: Console, names: list[str], rows: list[tuple[str, list[str]]]) -> None:
    """Print what differs between several results."""
    if not rows:
        console.print(f"no difference between {' and '.join(names)}")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    first = min(max(len(what) for what, _ in rows), console.width // 2)
    rest = max((console.width - first) // len(names) - 4, 8)
    table.add_column("", overflow="fold", min_width=first)
    for name in names:
        table.add_column(name, overflow="fold", max_width=rest)
    for what, values in rows:
        table.add_row(what, *values)
    console.print(table)
