"""GPUs: one section each, and one table to compare them."""

from __future__ import annotations

from docutils import nodes

from facts_pages.entries import section
from facts_pages.markup import Cell, fields, literal, paragraph, table
from facts_pages.sources import sources
from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Gpu

FP8 = {"none": "none in the matrix cores", "e4m3fn": "e4m3fn, the OCP format", "e4m3fnuz": "e4m3fnuz, AMD's own"}
UNKNOWN = "no source found"


def _number(value: float | None, unit: str) -> str:
    return UNKNOWN if value is None else f"{value:g} {unit}"


def entry(gpu: Gpu) -> nodes.section:
    """Everything known of one GPU."""
    pairs = [
        ("Arch", paragraph(literal(gpu.arch))),
        ("Memory", paragraph(f"{gpu.memory_gib} GiB")),
        ("Peak bandwidth", paragraph(_number(gpu.bandwidth_tbs, "TB/s"))),
        ("Compute units", paragraph(str(gpu.compute_units))),
        ("FP8", paragraph(FP8[gpu.fp8])),
        ("Links to GPUs", paragraph(UNKNOWN if gpu.links is None else str(gpu.links))),
        ("Peak of a link", paragraph(_number(gpu.link_gbs, "GB/s in one direction"))),
        ("PCI device ids", paragraph(", ".join(gpu.pci))),
        ("Checked", paragraph(f"{gpu.checked}")),
        ("Sources", sources(gpu.evidence)),
    ]
    return section("gpu", gpu.name.lower(), nodes.Text(gpu.name), [fields(pairs)])


def row(gpu: Gpu) -> list[Cell]:
    """One GPU in the table of ``HEAD``."""
    bandwidth = "" if gpu.bandwidth_tbs is None else f"{gpu.bandwidth_tbs:g}"
    return [[gpu.name], [literal(gpu.arch)], [str(gpu.memory_gib)], [bandwidth], [gpu.fp8]]


HEAD = ("GPU", "Arch", "GiB", "TB/s", "FP8")


def compare(facts: Facts) -> nodes.table:
    """All GPUs in one table."""
    return table(HEAD, [row(gpu) for gpu in facts.gpus.values()])
