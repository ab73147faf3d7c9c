"""What the records say of a region, in the guide's five words."""

from __future__ import annotations

from dataclasses import dataclass

from guide.records.blocks import ACCELERATOR_WORDS, Record, Result, Run
from guide.regions import Region

RANK = {"checked": 0, "dry run": 1, "cpu": 2, "cuda": 3, "rocm": 4}


@dataclass(frozen=True)
class Statement:
    """One statement of a record on a region: ``kind`` is its colour, ``word`` its badge, ``text`` what follows."""

    kind: str
    word: str
    text: str
    rank: int

    def __str__(self) -> str:
        return f"{self.word}: {self.text}"


def _where(run: Run) -> str:
    machine, software = run.machine, run.software
    gpu = "" if machine.accelerator == "cpu" else f"{machine.count}x {machine.name}, "
    rocm = f", ROCm {machine.rocm}" if machine.rocm else ""
    return f"{gpu}vLLM {software.vllm}, torch {software.torch}{rocm}, {run.ended:%Y-%m-%d}"


def _word(result: Result, run: Run) -> tuple[str, int]:
    """The guide's word for a result, and its rank among the five."""
    if result.level == "run":
        return f"run on {ACCELERATOR_WORDS[run.machine.accelerator]}", RANK[run.machine.accelerator]
    return result.level, RANK[result.level]


def is_fresh(result: Result, region: Region) -> bool:
    """Whether the region, and the rest of its file, is still what ran."""
    return (result.sha256, result.rest_sha256) == (region.sha256, region.rest_sha256)


def statement(record: Record, region: Region) -> Statement | None:
    """What one record says of ``region``; ``None`` if it has never seen it."""
    result = record.regions.get(region.id)
    if result is None:
        return None
    run = record.runs[result.run]
    word, rank = _word(result, run)
    place = ACCELERATOR_WORDS[run.machine.accelerator]
    if not is_fresh(result, region):
        outcome = word if result.status == "passed" else f"{result.status} on {place}"
        return Statement("changed", "changed since it last ran", f"{outcome}, {_where(run)}", -1)
    if result.status == "failed":
        return Statement("failed", f"failed on {place}", f"{result.reason or 'see the run'}, {_where(run)}", -1)
    if result.status == "not run":
        return Statement("not-run", f"not run on {place}", f"{result.reason}", -1)
    # What was only checked did not use the versions of the machine that checked it.
    text = f"{run.ended:%Y-%m-%d}" if result.level == "checked" else _where(run)
    arguments = ", ".join(f"{key}={value}" for key, value in result.passed.items())
    text += f", with {arguments}" if arguments else ""
    # Checked only, and the run also says why nothing more could happen there.
    text += f"; not run on {place}: {result.reason}" if result.reason else ""
    return Statement(word.replace(" ", "-"), word, text, rank)


def statements(records: list[Record], region: Region) -> list[Statement]:
    """All that the records say of ``region``, strongest first; one statement even where there is no record.

    Of several positive statements only the strongest is kept; failures, refusals and stale results always stay.
    """
    known = [item for record in records if (item := statement(record, region)) is not None]
    positive = sorted((item for item in known if item.rank >= 0), key=lambda item: -item.rank)
    others = [item for item in known if item.rank < 0]
    return positive[:1] + others or [Statement("none", "no record yet", "no run has covered this block", -1)]
