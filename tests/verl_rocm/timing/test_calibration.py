"""Which calibrated value is used, and one line for each that is missing or wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verl_rocm.facts.base import FactsError
from verl_rocm.facts.efficiencies import calibrations, read
from verl_rocm.facts.load import load
from verl_rocm.timing.calibration import CalibrationError, choose
from verl_rocm.timing.rates import Parts, Rates, calibrate
from verl_rocm.work.forward import Work

FACTS, OURS = load(), calibrations()
OWN = """\
name = "my bench"
rank = 0
checked = 2026-11-25
evidence = [{type = "record", region = "how_to/bench.py:run", read = 2026-11-25}]
[[value]]
quantity = "memory"
gpus = ["MI325X"]
low = 0.8
high = 0.82
conditions = "bench of this machine"
"""


def test_every_calibration_names_gpus_of_the_guide() -> None:
    assert {name for c in OURS for v in c.value for name in v.gpus} <= set(FACTS.gpus)
    assert len({c.name for c in OURS}) == len(OURS) >= 4


def test_the_gpu_itself_wins_and_another_of_its_arch_is_said_to_be_borrowed() -> None:
    assert choose("memory", "MI325X", FACTS, OURS).borrowed is None
    borrowed = choose("step_ms", "MI325X", FACTS, OURS)
    assert (borrowed.borrowed, borrowed.high) == ("MI300X", 3.63)


def test_a_record_of_the_reader_wins(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    used = choose("memory", "MI325X", FACTS, [*OURS, read(path)])
    assert (used.low, used.source) == (0.8, "my bench")
    assert choose("memory", "MI300X", FACTS, [read(path)]).borrowed == "MI325X"


def test_a_calibration_for_another_gpu(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    says = "memory is not calibrated for the MI355X (gfx950): the calibrations have it for MI325X; measure it and add "
    with pytest.raises(CalibrationError, match=f"^{re.escape(says)}"):
        choose("memory", "MI355X", FACTS, [read(path)])
    with pytest.raises(CalibrationError, match="no calibration has it"):
        choose("training", "MI300X", FACTS, OURS)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("low = 0.8\n", "low = 0.9\n", "calibration/time/own.toml: value.0: low 0.9 is above high 0.82; exchange them"),
        (
            "high = 0.82",
            "high = 1.2",
            "calibration/time/own.toml: value.0: memory is a share of a peak, and 1.2 is above 1",
        ),
        (
            '"memory"',
            '"speed"',
            "calibration/time/own.toml: field 'value.0.quantity' is 'speed': input should be 'memory'",
        ),
        (
            'conditions = "bench of this machine"\n',
            "",
            "calibration/time/own.toml: field 'value.0.conditions' is missing",
        ),
        ("rank = 0", "rank = ", "calibration/time/own.toml: no valid TOML: "),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN.replace(old, new))
    with pytest.raises(FactsError) as caught:
        read(path)
    assert str(caught.value).startswith(says) and "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FactsError, match=r"no such file; name a calibration, a TOML file$"):
        read(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("gpu", "ways", "dtype", "says"),
    [
        ("MI250X", 1, "fp8", "matrix_fp8 is not calibrated for the MI250X (gfx90a): "),
        ("MI308X", 1, "bf16", "bandwidth_tbs of the MI308X is not known (no data sheet of AMD is public; "),
        ("MI300X", 1, "int8", "products in 'int8' are not modelled; known are bf16, fp16, fp8"),
        (
            "MI210",
            2,
            "bf16",
            "step_ms is not calibrated for the MI210 (gfx90a): the calibrations have it for MI300X; measure it",
        ),
    ],
)
def test_a_gpu_whose_time_cannot_be_told(gpu: str, ways: int, dtype: str, says: str) -> None:
    with pytest.raises(CalibrationError) as caught:
        calibrate(gpu, ways, dtype, FACTS, OURS)
    assert str(caught.value).startswith(says)


def test_seconds_of_a_pass_by_hand() -> None:
    rates = Rates(memory=4e12, matrix=5e14, link=5e10, reduction=1e-5, rest=2e-3, ways=4)
    work = Work(weight_bytes=8e9, kv_bytes=4e9, operations=5e11, reduced_bytes=1e8, reductions=10)
    parts = rates.parts(work)
    assert parts == Parts(weights=2e-3, kv_cache=1e-3, matrix=1e-3, collectives=1e-3 + 1e-4, rest=2e-3)
    assert parts.total == pytest.approx(2e-3 + 1e-3 + 1.1e-3 + 2e-3)  # the product hides behind its weights
    assert parts.bound == "weights"


def test_fast_is_never_slower() -> None:
    both = calibrate("MI300X", 4, "bf16", FACTS, OURS)
    work = Work(weight_bytes=8e9, kv_bytes=4e9, operations=5e13, reduced_bytes=1e8, reductions=10)
    seconds = both.seconds(work)
    assert seconds.high is not None and 0 < seconds.low < seconds.high
    assert {used.quantity for used in both.used} == {"memory", "matrix_bf16", "step_ms", "link", "reduction_us"}
