"""What instance norm is, in float64 and in two passes, and how far a result is off, in the units of docs/numerics.md.

Of tensors over 16 M elements the first, the last and evenly spaced channels are looked at.
"""

import collections.abc
import dataclasses
import math

import numpy as np

from .data import Problem

SAMPLE = 1 << 24  # elements
TILE = 1 << 16  # elements at a time, so that float64 stays in cache

# What rounding to the type may add to an error in units of max(1, |y|).
ROUNDING = {"f32": 0.0, "f16": 0.501 * 2.0**-10, "bf16": 0.501 * 2.0**-7}
PROMISE = {"forward": 1e-6, "backward": 5e-6}  # haline's, reference/tolerance.h
ABSURD = {"f32": 0.05, "f16": 0.1, "bf16": 0.5}  # beyond which a peer did something else

Results = dict[str, np.ndarray]


@dataclasses.dataclass
class Group:
    """Planes that lie alike: x [planes, elements], where they are in the tensor, and each plane's channel."""

    take: collections.abc.Callable[[np.ndarray], np.ndarray]  # the same planes of a tensor [N, C, *]
    channel: np.ndarray
    x: np.ndarray
    tiles: list[tuple[slice, slice]]

    mean: np.ndarray = dataclasses.field(init=False)
    rstd: np.ndarray = dataclasses.field(init=False)

    def find_moments(self, eps: float) -> None:
        """Mean and 1 / sqrt(biased variance + eps), 0 for a constant plane without eps."""
        first = self.x[:, 0].astype(np.float64)
        size = self.x.shape[1]
        self.mean = first + self.sum(lambda x, rows: x - first[rows, None]) / size
        squares = self.sum(lambda x, rows: np.square(x - self.mean[rows, None]))
        rest = self.sum(lambda x, rows: x - self.mean[rows, None])
        variance = np.maximum(squares - rest * rest / size, 0) / size + eps
        self.rstd = np.where(variance > 0, 1 / np.sqrt(np.where(variance > 0, variance, 1)), 0)

    def sum(self, term, *others: np.ndarray) -> np.ndarray:
        """The sums over each plane of term(x, rows, *others), tile by tile."""
        total = np.zeros(len(self.x))
        for rows, columns in self.tiles:
            parts = (array[rows, columns].astype(np.float64) for array in (self.x, *others))
            total[rows] += term(next(parts), rows, *parts).sum(axis=1)
        return total

    def hat(self, x: np.ndarray, rows: slice) -> np.ndarray:
        """(x - mean) * rstd."""
        return (x - self.mean[rows, None]) * self.rstd[rows, None]


def _tiles(planes: int, size: int, by_rows: bool) -> list[tuple[slice, slice]]:
    if by_rows:
        columns, rows = min(size, TILE), max(1, TILE // size)
    else:
        columns, rows = max(1, TILE // planes), planes
    return [
        (slice(row, min(planes, row + rows)), slice(column, min(size, column + columns)))
        for row in range(0, planes, rows)
        for column in range(0, size, columns)
    ]


def _groups(problem: Problem, limit: int) -> list[Group]:
    samples, channels, *inner = problem.cell.shape
    size = math.prod(inner)
    picked, some = np.arange(channels), slice(None)
    if problem.cell.elements > limit and channels > 1:
        picked = some = np.unique(np.linspace(0, channels - 1, max(2, limit // (samples * size))).astype(int))

    def all_planes(array: np.ndarray) -> np.ndarray:
        return array.reshape(samples * channels, size)

    def of_sample(sample: int):
        return lambda array: array[sample].reshape(channels, size)[some]

    x = problem.planes_first(problem.x)
    by_rows = problem.cell.layout == "nchw"
    if by_rows and len(picked) == channels:
        places, picked = [all_planes], np.tile(picked, samples)
    else:
        places = [of_sample(sample) for sample in range(samples)]
    return [Group(take, picked, take(x), _tiles(len(picked), size, by_rows)) for take in places]


class Oracle:
    """The exact results of one problem, for as many peers as there are."""

    def __init__(self, problem: Problem, limit: int = SAMPLE):
        """Finds the statistics; `limit` elements, and at least two channels, are looked at."""
        self.problem = problem
        self.groups = _groups(problem, limit)
        for group in self.groups:
            group.find_moments(problem.eps)
        self.scale, self.shift = problem.scale.astype(np.float64), problem.shift.astype(np.float64)
        self._gradients: list[tuple[np.ndarray, np.ndarray]] | None = None

    def error(self, results: Results) -> float:
        """How far results are off at worst; NaN where one is not finite. `results` has y, or dx, dscale and dshift."""
        return self.forward_error(results["y"]) if "y" in results else self.backward_error(results)

    def forward_error(self, y: np.ndarray) -> float:
        """The largest |y - exact| / max(1, |exact|, |scale|) of y [N, C, *]."""
        worst = 0.0
        for group in self.groups:
            found, scale, shift = group.take(y), self.scale[group.channel], self.shift[group.channel]
            for rows, columns in group.tiles:
                exact = group.hat(group.x[rows, columns].astype(np.float64), rows)
                exact = exact * scale[rows, None] + shift[rows, None]
                if self.problem.cell.slope != 1:
                    exact = np.where(exact > 0, exact, exact * self.problem.cell.slope)
                unit = np.maximum(np.maximum(1, np.abs(exact)), np.abs(scale[rows, None]))
                error = np.max(np.abs(found[rows, columns].astype(np.float64) - exact) / unit)
                worst = max(worst, error) if error == error else math.nan
                if worst != worst:
                    return math.nan
        return float(worst)

    def backward_error(self, results: Results) -> float:
        """The largest error of dx, dscale and dshift in units of the largest |gradient| (reference/tolerance.h)."""
        dy = self.problem.planes_first(self.problem.dy)
        if self._gradients is None:
            self._gradients = [
                (group.sum(self._of_z(group), group.take(dy)), group.sum(self._product(group), group.take(dy)))
                for group in self.groups
            ]
        dscale, dshift = np.zeros_like(self.scale), np.zeros_like(self.shift)
        worst = 0.0
        for group, (sums, products) in zip(self.groups, self._gradients, strict=True):
            np.add.at(dshift, group.channel, sums)
            np.add.at(dscale, group.channel, products)
            worst = np.maximum(worst, self._dx_error(group, group.take(results["dx"]), group.take(dy), sums, products))
        looked_at = np.unique(np.concatenate([group.channel for group in self.groups]))
        count = self.problem.cell.shape[0] * self.problem.cell.plane
        for found, exact in ((results["dscale"], dscale), (results["dshift"], dshift)):
            unit = max(1.0, np.max(np.abs(exact)), math.sqrt(count / 512))
            worst = np.maximum(worst, np.max(np.abs(found.astype(np.float64) - exact)[looked_at]) / unit)
        return float(worst)  # np.maximum keeps a NaN

    def _of_z(self, group: Group):
        """The gradient of what the activation is applied to, of dy."""
        slope, scale, shift = self.problem.cell.slope, self.scale[group.channel], self.shift[group.channel]

        def of_z(x, rows, dy):
            z = group.hat(x, rows) * scale[rows, None] + shift[rows, None]
            return np.where(z > 0, dy, dy * slope)

        return of_z if slope != 1 else lambda x, rows, dy: dy

    def _product(self, group: Group):
        of_z = self._of_z(group)
        return lambda x, rows, dy: of_z(x, rows, dy) * group.hat(x, rows)

    def _dx_error(self, group: Group, found: np.ndarray, dy: np.ndarray, sums, products) -> float:
        size, of_z = group.x.shape[1], self._of_z(group)
        factor = (self.scale[group.channel] * group.rstd)[:, None]
        error, largest = np.zeros(len(group.x)), np.ones(len(group.x))
        for rows, columns in group.tiles:
            x = group.x[rows, columns].astype(np.float64)
            exact = of_z(x, rows, dy[rows, columns].astype(np.float64)) - sums[rows, None] / size
            exact -= group.hat(x, rows) * (products[rows, None] / size)
            exact *= factor[rows]
            off = np.abs(found[rows, columns].astype(np.float64) - exact)
            error[rows] = np.maximum(error[rows], off.max(axis=1))
            largest[rows] = np.maximum(largest[rows], np.abs(exact).max(axis=1))
        return float(np.max(error / largest))


def is_haline(who: str) -> bool:
    """Whether this is haline itself, from Python or from C."""
    return who.startswith("haline")


def verdict(who: str, cell, error: float) -> str:
    """What is wrong with a result: "" where nothing is. haline is held to its promise, others to common sense."""
    most = PROMISE[cell.direction] + ROUNDING[cell.dtype] if is_haline(who) else ABSURD[cell.dtype]
    return "" if error <= most else f"wrong result: error {error:.2g} found, at most {most:.2g} wanted"
