"""One figure, logged and predicted, as a line on the screen and in a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

FIELDS = ("id", "half", "source", "quantity", "unit", "logged", "predicted", "low", "high", "error_percent", "why")
WHOLE = {"tokens", "tokens/s"}  # units whose figures are printed without decimals


@dataclass(frozen=True)
class Verdict:
    """One figure of the row ``id``; ``why`` says why there is no prediction, or what was assumed."""

    id: str
    source: str
    half: str
    quantity: str = ""
    unit: str = ""
    logged: float | None = None
    predicted: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""

    @property
    def error(self) -> float | None:
        """Per cent of the logged figure."""
        if self.logged is None or self.predicted is None:
            return None
        return 100 * (self.predicted - self.logged) / self.logged

    @property
    def inside(self) -> bool:
        """The range holds the logged figure."""
        if self.low is None or self.high is None or self.logged is None:
            return False
        return self.low <= self.logged <= self.high

    def fields(self) -> dict[str, str]:
        """The verdict as a line of a table."""

        def shown(value: float | None) -> str:
            return "" if value is None else f"{value:.0f}" if self.unit in WHOLE else f"{value:.2f}"

        error = "" if self.error is None else f"{self.error:+.2f}"
        figures = (shown(self.logged), shown(self.predicted), shown(self.low), shown(self.high))
        values = (self.id, self.half, self.source, self.quantity, self.unit, *figures, error, self.why)
        return dict(zip(FIELDS, values, strict=True))

    def line(self) -> str:
        """The verdict for people."""
        fields = self.fields()
        if not self.quantity:
            return f"{self.id} skipped ({self.why})"
        limits = f" [{fields['low']} to {fields['high']}]" if self.low is not None else ""
        error = f" {fields['error_percent']} %" if fields["error_percent"] else ""
        why = f" ({self.why})" if self.why else ""
        figure = f"logged {fields['logged']}, predicted {fields['predicted'] or '-'}{limits}"
        return f"{self.id} {self.quantity} {figure}{error}{why}"


def errors(verdicts: Iterable[Verdict], quantities: Iterable[str], half: str) -> Iterator[float]:
    """Errors in per cent without their sign, of one half."""
    chosen = set(quantities)
    for verdict in verdicts:
        if verdict.quantity in chosen and verdict.half == half and verdict.error is not None:
            yield abs(verdict.error)


def coverage(verdicts: Iterable[Verdict]) -> str:
    """How many rows have a prediction."""
    every = list(verdicts)
    predicted = {verdict.id for verdict in every if verdict.predicted is not None}
    return f"{len(predicted)} of {len({verdict.id for verdict in every})} rows predicted"


def spread(figures: list[float]) -> str:
    """Median and worst of errors in per cent."""
    return f"median error {median(figures):.2f} %, worst {max(figures):.2f} % ({len(figures)})" if figures else "none"
