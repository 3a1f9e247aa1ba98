"""What the times of two builds say: which rows lost speed, and whether a repeat confirms it. Times nothing itself.

SPDX-License-Identifier: MIT
"""

import dataclasses
import statistics
from collections.abc import Callable, Iterable

# run(side, names) gives the seconds of each row of one short run of a build's benchmarks, None of a row that was
# refused. side: "base" or "head"; names: the rows to run, or None for all.
Times = dict[str, float | None]
Run = Callable[[str, list[str] | None], Times]

SIDES = ("base", "head")


@dataclasses.dataclass
class Row:
    """A row's times in both builds, round by round: what is beside each other was measured one after the other."""

    name: str
    base: list[float]
    head: list[float]

    @property
    def ratios(self) -> list[float]:
        """Of each round, head's time to base's: above 1 is slower."""
        return [head / base for base, head in zip(self.base, self.head, strict=True)]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """The middle half of the ratios lies between these."""
        if len(self.ratios) < 2:
            return self.ratio, self.ratio
        low, _, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return low, high

    def lost(self, threshold: float) -> bool:
        """Slower by more than the threshold, and not just in some of the rounds."""
        return self.ratio > 1 + threshold and self.spread[0] > 1

    def won(self, threshold: float) -> bool:
        return self.ratio < 1 / (1 + threshold) and self.spread[1] < 1


@dataclasses.dataclass
class Report:
    """All rows as first measured, and of the suspects among them the repeat."""

    rows: list[Row]
    repeated: list[Row]
    missing: dict[str, list[str]]  # by side: rows that only the other build has
    refused: dict[str, list[str]]  # by side: rows that failed their check before timing
    threshold: float

    @property
    def lost(self) -> list[Row]:
        """The losses that the repeat confirmed."""
        return [row for row in self.repeated if row.lost(self.threshold)]

    @property
    def broken(self) -> list[str]:
        """Rows that head refuses to time and base does not."""
        return [name for name in self.refused["head"] if name not in self.refused["base"]]

    @property
    def passed(self) -> bool:
        return bool(self.rows) and not self.lost and not self.broken

    def verdict(self, row: Row) -> str:
        if row.name in (lost.name for lost in self.lost):
            return "LOSS"
        if row.lost(self.threshold):
            return "not confirmed"
        return "gain" if row.won(self.threshold) else ""


def is_control(name: str) -> bool:
    """Rows of what is not haline's: they tell how quiet the machine is."""
    return name.startswith(("copy/", "stream/"))


def measure(run: Run, rounds: int, names: list[str] | None = None) -> tuple[list[Row], dict, dict]:
    """Runs both builds in turn, the first of each round last in the next. Also tells missing and refused rows."""
    times: dict[str, list[Times]] = {side: [] for side in SIDES}
    for i in range(rounds):
        for side in SIDES if i % 2 == 0 else reversed(SIDES):
            times[side].append(run(side, names))
    seen = {side: list(dict.fromkeys(name for each in times[side] for name in each)) for side in SIDES}
    refused = {side: [name for name in seen[side] if any(each.get(name) is None for each in times[side])]
               for side in SIDES}  # fmt: skip
    missing = {
        side: [name for name in seen[other] if name not in seen[side]]
        for side, other in (SIDES, tuple(reversed(SIDES)))
    }
    without = set(refused["base"]) | set(refused["head"])
    rows = [
        Row(name, *([each[name] for each in times[side]] for side in SIDES))
        for name in seen["head"]
        if name in seen["base"] and name not in without
    ]
    return rows, missing, refused


def check(run: Run, rounds: int, threshold: float) -> Report:
    """Measures all rows and, twice as long, those that seem to have lost once more: alone, they must lose again."""
    rows, missing, refused = measure(run, rounds)
    suspects = [row.name for row in rows if row.lost(threshold) and not is_control(row.name)]
    repeated = measure(run, 2 * rounds, suspects)[0] if suspects else []
    again = {row.name for row in repeated}
    repeated += [row for row in rows if row.name in suspects and row.name not in again]  # nothing speaks for them
    return Report(rows, repeated, missing, refused, threshold)


def table(report: Report) -> Iterable[str]:
    """The report as lines of text."""
    width = max([len(row.name) for row in report.rows] + [20])
    yield f"{'row':{width}} {'base':>10} {'head':>10}  {'head / base':>11}  middle half of the rounds"
    repeated = {row.name: row for row in report.repeated}
    for row in sorted(report.rows, key=lambda row: row.name):  # the programs shuffle theirs
        for each, note in ((row, ""), (repeated.get(row.name), "  again")):
            if each is None:
                continue
            base, head = (microseconds(statistics.median(times)) for times in (each.base, each.head))
            low, high = each.spread
            line = f"{note or row.name:{width}} {base:>10} {head:>10}  {each.ratio:11.3f}  {low:.3f} to {high:.3f}"
            last = each is repeated.get(row.name, row)
            yield f"{line}  {report.verdict(row) if last else '?'}".rstrip()
    for side, names in report.missing.items():
        if names:
            yield f"not in {side}: {', '.join(names)}"
    for side, names in report.refused.items():
        if names:
            yield f"refused in {side}, see above: {', '.join(names)}"


def microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} us" if seconds < 1e-4 else f"{seconds * 1e6:.0f} us"


def as_json(report: Report) -> dict:
    """The report for scripts; times in seconds."""

    def row(each: Row) -> dict:
        return {"name": each.name, "base": each.base, "head": each.head, "ratio": each.ratio, "spread": each.spread}

    return {
        "passed": report.passed,
        "threshold": report.threshold,
        "lost": [each.name for each in report.lost],
        "broken": report.broken,
        "rows": [row(each) | {"verdict": report.verdict(each)} for each in report.rows],
        "repeated": [row(each) for each in report.repeated],
        "missing": report.missing,
        "refused": report.refused,
    }
