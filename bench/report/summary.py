"""From rows to comparisons: haline against the fastest copy, and against the best of its peers, cell by cell."""

import collections
import dataclasses
import json
import math
import pathlib
import typing

from .baseline import is_baseline
from .cells import Regime
from .oracle import is_haline

Row = dict[str, typing.Any]


@dataclasses.dataclass
class Contest:
    """One cell on so many threads: haline, the fastest way to move the same bytes, and the peers that ran."""

    form: str
    shape: str
    threads: int
    haline: Row | None
    bare: Row | None  # haline without Python, where that was measured
    copy: Row | None
    peers: dict[str, Row]

    @property
    def of_copy(self) -> float | None:
        """haline's speed, without Python as the copy's, as a fraction of the copy's (backward: of the stream's)."""
        return self.bare["gb_per_s"] / self.copy["gb_per_s"] if self.bare and self.copy else None

    @property
    def best(self) -> Row | None:
        """The fastest peer."""
        return min(self.peers.values(), key=lambda row: row["seconds"], default=None)

    def row(self, who: str) -> Row | None:
        """haline's or a peer's."""
        return {"haline": self.haline, "haline-c": self.bare}.get(who, self.peers.get(who))

    def ahead_of(self, row: Row | None) -> float | None:
        """How many times as fast as another haline is."""
        return row["seconds"] / self.haline["seconds"] if row and self.haline else None


def contests(rows: list[Row]) -> list[Contest]:
    """The rows by cell and threads, in their order."""
    groups: dict[tuple[str, int], list[Row]] = collections.defaultdict(list)
    for row in rows:
        groups[row["cell"], row["threads"]].append(row)
    result = []
    for (cell, threads), group in groups.items():
        form, _, shape = cell.rpartition("/")
        timed = {row["who"]: row for row in group if row["seconds"]}
        copies = [row for who, row in timed.items() if is_baseline(who)]
        result.append(
            Contest(
                form,
                shape,
                threads,
                timed.get("haline"),
                timed.get("haline-c", timed.get("haline")),
                min(copies, key=lambda row: row["seconds"], default=None),
                {who: row for who, row in timed.items() if not is_haline(who) and not is_baseline(who)},
            )
        )
    return result


def geometric_mean(values: list[float]) -> float | None:
    """None of nothing."""
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if values else None


@dataclasses.dataclass
class Score:
    """All cells of a form on so many threads."""

    form: str
    threads: int
    cells: int  # where haline and a peer ran
    won: int
    lost: list[Contest]
    ahead: float | None  # geometric mean over the cells, against the best peer of each
    ahead_of: dict[str, float | None]  # against each peer where it ran


def scores(all_contests: list[Contest], peers: list[str]) -> list[Score]:
    """A score for each form and number of threads."""
    groups: dict[tuple[str, int], list[Contest]] = collections.defaultdict(list)
    for contest in all_contests:
        groups[contest.form, contest.threads].append(contest)
    result = []
    for (form, threads), group in groups.items():
        met = [contest for contest in group if contest.haline and contest.peers]
        ratios = [contest.ahead_of(contest.best) for contest in met]
        by_peer = {
            peer: geometric_mean([one.ahead_of(one.peers[peer]) for one in met if peer in one.peers]) for peer in peers
        }
        lost = [contest for contest, ratio in zip(met, ratios, strict=True) if ratio <= 1]
        won = len(met) - len(lost)
        result.append(Score(form, threads, len(met), won, lost, geometric_mean(ratios), by_peer))
    return result


def totals(all_contests: list[Contest]) -> dict[str, float | None]:
    """The geometric means over all forward and all backward cells, against the best peer of each."""
    result = {}
    for direction in ("forward", "backward"):
        met = [one for one in all_contests if one.form.startswith(direction) and one.haline and one.peers]
        result[direction] = geometric_mean([one.ahead_of(one.best) for one in met])
    return result


def regime_fraction(all_contests: list[Contest], shapes: set[str], form: str, threads: int) -> float | None:
    """haline's smallest fraction of a copy over some shapes."""
    fractions = [
        contest.of_copy
        for contest in all_contests
        if contest.shape in shapes and contest.form == form and contest.threads == threads and contest.of_copy
    ]
    return min(fractions, default=None)


def goal(regime: Regime, direction: str, threads: int) -> float | None:
    """The fraction that is wanted; None where none is named."""
    if direction == "backward":
        return regime.backward if threads == 1 else None
    return regime.forward if threads == 1 else regime.forward_threads


@dataclasses.dataclass
class Report:
    """Everything that was measured."""

    machine: dict[str, str]
    profile: str
    peers: dict[str, str]  # versions
    missing: dict[str, str]  # and why
    sets: dict[str, list[str]]  # the names of the shapes of each regime and of `odd`
    rows: list[Row]
    curve: list[Row]
    accuracy: list[Row]
    threads: list[int]

    @property
    def others(self) -> list[str]:
        """The peers that are not haline."""
        return [name for name in self.peers if not is_haline(name)]

    def contests(self) -> list[Contest]:
        """See contests."""
        return contests(self.rows)


def read(folder: pathlib.Path) -> Report:
    """All threads-<n>.json of a folder."""
    files = sorted(folder.glob("threads-*.json"), key=lambda file: int(file.stem.partition("-")[2]))
    if not files:
        raise ValueError(f"{folder}: no threads-*.json found, what `measure` writes wanted")
    parts = [json.loads(file.read_text()) for file in files]
    first = parts[0]
    return Report(
        first["machine"],
        first["profile"],
        {name: version for part in parts for name, version in part["peers"].items()},
        {name: reason for part in parts for name, reason in part["missing"].items()},
        first["sets"],
        [row for part in parts for row in part["rows"]],
        [point for part in parts for point in part["curve"]],
        [row for part in parts for row in part["accuracy"]],
        [part["threads"] for part in parts],
    )
