"""The figures of the GPUs hang together: what one source says is not contradicted by another."""

from __future__ import annotations

import pytest

from verl_rocm.dryrun.gpus import identity
from verl_rocm.facts.load import load
from verl_rocm.facts.schema import Gpu, Unknown

GPUS = load().gpus
NAMES = ("MI210", "MI250X", "MI250", "MI300A", "MI300X", "MI308X", "MI325X", "MI350X", "MI355X")
# Engine clock, MHz, and operations a clock and compute unit with BF16, both from AMD's white papers: CDNA 2 endnote
# MI200-05 and the ROCm page on the MI250, CDNA 3 endnotes MI300-11 and MI325-019, CDNA 4 table 1.
CLOCKS = {"MI210": 1700, "MI250": 1700, "MI250X": 1700, "MI300A": 2100, "MI300X": 2100, "MI325X": 2100}
CLOCKS |= {"MI350X": 2200, "MI355X": 2400}
OPERATIONS = {"gfx90a": 1024, "gfx942": 2048, "gfx950": 4096}


def test_all_gpus_of_the_cost_model_are_there() -> None:
    assert tuple(GPUS) == NAMES


@pytest.mark.parametrize("name", CLOCKS)
def test_the_peak_is_compute_units_times_clock_times_operations(name: str) -> None:
    gpu = GPUS[name]
    assert gpu.matrix_tflops.bf16 == gpu.matrix_tflops.fp16
    product = gpu.compute_units * CLOCKS[name] * OPERATIONS[gpu.arch] / 1e6
    assert gpu.matrix_tflops.bf16 == pytest.approx(product, rel=0.01)  # CDNA 4's are printed with two digits


@pytest.mark.parametrize("gpu", GPUS.values(), ids=lambda gpu: gpu.name)
def test_a_narrower_type_is_no_slower(gpu: Gpu) -> None:
    peaks = gpu.matrix_tflops
    known = [p for p in (peaks.fp32, peaks.bf16, peaks.fp8, peaks.fp6, peaks.fp4) if isinstance(p, float)]
    assert known == sorted(known)
    assert (gpu.fp8 == "none") == (peaks.fp8 == "none")


@pytest.mark.parametrize(("name", "aggregate"), [("MI300X", 896), ("MI325X", 896), ("MI350X", 1075.2)])
def test_the_links_add_up_to_the_aggregate_of_the_white_paper(name: str, aggregate: float) -> None:
    gpu = GPUS[name]
    assert isinstance(gpu.links, int) and isinstance(gpu.link_gbs, float)
    assert 2 * gpu.links * gpu.link_gbs == pytest.approx(aggregate)


def test_every_unknown_figure_says_why() -> None:
    unknown = {
        (gpu.name, field): value.unknown
        for gpu in GPUS.values()
        for field, value in [*gpu, *((f"matrix_tflops.{key}", peak) for key, peak in gpu.matrix_tflops)]
        if isinstance(value, Unknown)
    }
    assert {name for name, _ in unknown} == {"MI250X", "MI250", "MI300A", "MI308X"}
    assert all(len(reason.split()) > 5 for reason in unknown.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_dry_run_knows_every_gpu(name: str) -> None:
    gpu = identity(name, 8)
    facts = GPUS[name]
    assert (gpu.arch, gpu.pci, gpu.memory_gib) == (facts.arch, facts.pci[0], facts.memory_gib)
