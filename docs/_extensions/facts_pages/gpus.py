"""GPUs: one section each, and one table to compare them."""

from __future__ import annotations

from docutils import nodes

from facts_pages.entries import section
from facts_pages.markup import Cell, fields, literal, paragraph, table
from facts_pages.sources import sources
from verl_rocm.facts.base import Facts
from verl_rocm.facts.schema import Gpu, Unknown

FP8 = {"none": "none in the matrix cores", "e4m3fn": "e4m3fn, the OCP format", "e4m3fnuz": "e4m3fnuz, AMD's own"}
Figure = float | str | Unknown


def _figure(value: Figure, unit: str) -> nodes.paragraph:
    """A figure with its unit, ``none``, or why it is not known."""
    match value:
        case Unknown():
            return paragraph(f"not known: {value.unknown}")
        case str():
            return paragraph(value)
        case _:
            return paragraph(f"{value:g} {unit}".rstrip())


def _short(value: Figure) -> Cell:
    """The same for a cell of the table, where the reason has no place."""
    if isinstance(value, Unknown):
        return ["not known"]
    return [value if isinstance(value, str) else f"{value:g}"]


def _peaks(gpu: Gpu) -> nodes.paragraph:
    """Dense peaks by type; types that the matrix cores do not have, and those with no source, are named together."""
    peaks: dict[str, Figure] = dict(gpu.matrix_tflops)
    parts = [f"{name} {value:g} TFLOP/s" for name, value in peaks.items() if isinstance(value, float)]
    missing = [name for name, value in peaks.items() if isinstance(value, str)]
    reasons = {value.unknown: None for value in peaks.values() if isinstance(value, Unknown)}
    parts += [f"none of {', '.join(missing)}"] if missing else []
    return paragraph("; ".join([*parts, *(f"not known: {reason}" for reason in reasons)]))


def entry(gpu: Gpu) -> nodes.section:
    """Everything known of one GPU."""
    modes = gpu.partition_modes
    pairs = [
        ("Arch", paragraph(literal(gpu.arch))),
        ("Memory", paragraph(f"{gpu.memory_gib} GiB")),
        ("Peak bandwidth", _figure(gpu.bandwidth_tbs, "TB/s")),
        ("Infinity Cache", _figure(gpu.infinity_cache_mib, "MiB")),
        ("Compute units", paragraph(str(gpu.compute_units))),
        ("Matrix peak, dense", _peaks(gpu)),
        ("FP8", paragraph(FP8[gpu.fp8])),
        ("Links to GPUs", _figure(gpu.links, "")),
        ("Peak of a link", _figure(gpu.link_gbs, "GB/s in one direction")),
        ("Peak of the host link", _figure(gpu.host_gbs, "GB/s in one direction")),
        ("Partition modes", _figure(", ".join(modes) if isinstance(modes, list) else modes, "")),
        ("Board power", _figure(gpu.board_watts, "W")),
        ("PCI device ids", paragraph(", ".join(gpu.pci))),
        ("Checked", paragraph(f"{gpu.checked}")),
        ("Sources", sources(gpu.evidence)),
    ]
    return section("gpu", gpu.name.lower(), nodes.Text(gpu.name), [fields(pairs)])


def row(gpu: Gpu) -> list[Cell]:
    """One GPU in the table of ``HEAD``."""
    peaks = gpu.matrix_tflops
    figures = [gpu.bandwidth_tbs, peaks.bf16, peaks.fp8, gpu.links, gpu.link_gbs]
    return [[gpu.name], [literal(gpu.arch)], [str(gpu.memory_gib)], *map(_short, figures), [gpu.fp8]]


HEAD = ("GPU", "Arch", "GiB", "TB/s", "BF16 TFLOP/s", "FP8 TFLOP/s", "Links", "GB/s a link", "FP8 format")


def compare(facts: Facts) -> nodes.table:
    """All GPUs in one table."""
    return table(HEAD, [row(gpu) for gpu in facts.gpus.values()])
