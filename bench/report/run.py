"""One cell after the other: prepare everyone, hold every result against the oracle, then take the times in turns."""

import collections.abc
import math
import typing

from .baseline import Baseline, is_baseline
from .cells import Cell, shape_name
from .data import Arena, Problem
from .measure import Budget, Time, Timer, interleave
from .oracle import Oracle, is_haline, verdict
from .peers import Peer, Prepared

Row = dict[str, typing.Any]


class Runner:
    """Measures cells on so many threads."""

    def __init__(self, peers: list[Peer], baseline: Baseline, budget: Budget, threads: int):
        """`baseline` has the copies."""
        self.peers, self.baseline, self.budget, self.threads = peers, baseline, budget, threads
        self.rates: dict[tuple[str, str], float] = {}  # bytes a second, by peer and form

    def cells(self, cells: list[Cell]) -> collections.abc.Iterator[tuple[Cell, list[Row]]]:
        """Each cell with a row for every contestant; those that did not run say why in `note`."""
        arena = Arena(max(cell.elements for cell in cells))
        for cell in cells:
            yield cell, self.cell(cell, arena)

    def cell(self, cell: Cell, arena: Arena) -> list[Row]:
        """The rows of one cell."""
        problem = arena.problem(cell)
        oracle = Oracle(problem)
        timers: dict[str, Timer] = {}
        done: dict[str, Time] = {}
        errors: dict[str, float] = {}
        notes: dict[str, str] = {}
        hows: dict[str, str] = {}
        for peer in self.peers:
            notes[peer.name] = peer.refuses(cell) or self._impatient(peer, cell)
            if notes[peer.name]:
                continue
            try:
                prepared, seconds, error = self._verified(peer, problem, oracle)
            except Exception as reason:  # a peer may refuse in any way of its own
                notes[peer.name] = f"{type(reason).__name__}: {reason}".splitlines()[0]
                continue
            errors[peer.name] = error
            hows[peer.name] = prepared.how
            notes[peer.name] = verdict(peer.name, cell, error)
            if notes[peer.name]:
                continue
            if seconds > self.budget.each:  # one call must do
                done[peer.name] = Time(seconds, seconds, seconds, 1)
            else:
                timers[peer.name] = prepared.timed()
        done |= interleave(timers | self.baseline.timers(problem), self.budget)
        for name, time in done.items():
            if not is_baseline(name) and cell.bytes >= 1 << 20:  # of less, a call's overhead is what shows
                self.rates[name, cell.form] = cell.bytes / time.median
        return [
            self._row(cell, name, done.get(name), errors.get(name), notes.get(name, ""), hows.get(name, ""))
            for name in [peer.name for peer in self.peers] + [name for name in done if is_baseline(name)]
        ]

    def _impatient(self, peer: Peer, cell: Cell) -> str:
        if is_haline(peer.name):
            return ""
        rate = self.rates.get((peer.name, cell.form), math.inf)
        expected = cell.bytes / rate
        return f"left out: about {expected:.0f} s a call" if expected > self.budget.patience else ""

    def _verified(self, peer: Peer, problem: Problem, oracle: Oracle) -> tuple[Prepared, float, float]:
        """The peer, ready to be timed; the seconds and the error of its first call."""
        prepared = peer.prepare(problem)
        problem.out[:] = math.nan
        timer = prepared.timed()
        seconds = timer(1)
        error = oracle.error(prepared.results())
        if self.budget.each < seconds < self.budget.patience:  # what the first call did once is no reason
            seconds = timer(1)
        return prepared, seconds, error

    def _row(self, cell: Cell, who: str, time: Time | None, error: float | None, note: str, how: str) -> Row:
        row: Row = {
            "cell": cell.name,
            "direction": cell.direction,
            "dtype": cell.dtype,
            "layout": cell.layout,
            "slope": cell.slope,
            "pictures": cell.pictures,
            "shape": shape_name(cell.shape),
            "threads": self.threads,
            "who": who,
            "seconds": None,
            "low": None,
            "high": None,
            "blocks": 0,
            "bytes": cell.bytes,
            "gb_per_s": None,
            "error": error if error is None or math.isfinite(error) else None,  # JSON has no NaN; `note` says it
            "note": note,
            "how": how,
        }
        if time:
            row |= {"seconds": time.median, "low": time.low, "high": time.high, "blocks": time.blocks}
            row["gb_per_s"] = cell.bytes / time.median / 1e9
        return row
