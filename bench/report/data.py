"""The inputs and outputs of a cell, in memory that all cells share: every page is written before any is timed."""

import dataclasses
import functools

import ml_dtypes
import numpy as np

from .cells import Cell

PAGE = 4096
EPS = 1e-5
NEAR = 1e-3  # of an activation's argument: so near to 0 nobody can be held to its sign
NUMPY = {"f32": np.dtype(np.float32), "f16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}


@dataclasses.dataclass
class Problem:
    """A cell with its arrays: [N, C, *] for channels first, [N, *, C] for channels last, contiguous."""

    cell: Cell
    x: np.ndarray
    dy: np.ndarray | None  # backward only
    out: np.ndarray  # where y, or dx, goes
    scale: np.ndarray  # float32 [C]
    shift: np.ndarray  # float32 [C]
    eps: float = EPS

    def planes_first(self, array: np.ndarray) -> np.ndarray:
        """The same elements as [N, C, *]."""
        return array if self.cell.layout == "nchw" else np.moveaxis(array, -1, 1)


def aligned(count: int, dtype: np.dtype) -> np.ndarray:
    """An array that begins with a page, as Google's benchmarks' and the peers' own allocators would have it."""
    raw = np.zeros(count * dtype.itemsize + PAGE, np.uint8)
    start = -raw.ctypes.data % PAGE
    return raw[start : start + count * dtype.itemsize].view(dtype)


def parameters(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift: numbers that 16 bits hold too."""
    channel = np.arange(channels)
    return (0.5 + channel % 7 / 4).astype(np.float32), (channel % 5 / 2 - 1).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _heights(inner: tuple[int, ...]) -> np.ndarray:
    """Of waves in photographs, 1 / f^1.5, as rfftn lays them out; the constant none."""
    axes = [np.fft.fftfreq(extent) for extent in inner[:-1]] + [np.fft.rfftfreq(inner[-1])]
    frequency = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    frequency.flat[0] = np.inf
    return frequency**-1.5


class Arena:
    """Memory for tensors of up to `elements` elements: those of a cell are at its front."""

    def __init__(self, elements: int, seed: int = 1):
        """Draws the inputs once, in float32."""
        self.elements = elements
        self.generator = np.random.default_rng(seed)
        self.inputs: dict[tuple[str, str], np.ndarray] = {}
        self.result = aligned(elements * 4, np.dtype(np.uint8))
        self.result[:] = 1

    def _input(self, which: str, dtype: str, count: int) -> np.ndarray:
        key = (which, dtype)
        if key not in self.inputs or self.inputs[key].size < count:
            if dtype == "f32":
                drawn = aligned(self.elements, NUMPY["f32"])
                self.generator.standard_normal(dtype=np.float32, out=drawn)
                if which == "x":
                    drawn += np.float32(0.5)
            else:
                # Only as much as is used: tensors of 16 bits are seldom the largest.
                drawn = aligned(count, NUMPY[dtype])
                drawn[:] = self._input(which, "f32", count)
            self.inputs[key] = drawn
        return self.inputs[key][:count]

    def _pictures(self, cell: Cell, shape: tuple[int, ...]) -> np.ndarray:
        """Planes of noise with the spectrum of photographs, deviation 1 about 0.5; float32."""
        if ("pictures", "f32") not in self.inputs:
            self.inputs["pictures", "f32"] = aligned(self.elements, NUMPY["f32"])
        x = self.inputs["pictures", "f32"][: cell.elements].reshape(shape)
        planes, inner = x if cell.layout == "nchw" else np.moveaxis(x, -1, 1), cell.shape[2:]
        for place in np.ndindex(cell.shape[:2]):
            waves = np.fft.rfftn(self.generator.standard_normal(inner)) * _heights(inner)
            picture = np.fft.irfftn(waves, inner, tuple(range(len(inner))))
            planes[place] = 0.5 + picture / (picture.std() or 1)
        return x

    def problem(self, cell: Cell) -> Problem:
        """The inputs of a cell, and room for its result, full of NaN."""
        samples, channels, *inner = cell.shape
        shape = (samples, channels, *inner) if cell.layout == "nchw" else (samples, *inner, channels)
        out = self.result[: cell.elements * NUMPY[cell.dtype].itemsize].view(NUMPY[cell.dtype])
        out[:] = np.nan
        if cell.pictures:
            x = self._pictures(cell, shape)
        else:
            x = self._input("x", cell.dtype, cell.elements).reshape(shape)
        dy = None if cell.direction == "forward" else self._input("dy", cell.dtype, cell.elements).reshape(shape)
        problem = Problem(cell, x, dy, out.reshape(shape), *parameters(channels))
        if dy is not None and cell.slope != 1:
            problem.dy = self._away_from_zero(problem)
        return problem

    def _away_from_zero(self, problem: Problem) -> np.ndarray:
        """dy, but 0 where the activation's argument is near 0, as either slope is right there."""
        cell, key = problem.cell, ("dy away from 0", problem.cell.dtype)
        if key not in self.inputs or self.inputs[key].size < cell.elements:
            self.inputs[key] = aligned(cell.elements, NUMPY[cell.dtype])
        dy = self.inputs[key][: cell.elements].reshape(problem.dy.shape)
        dy[:] = problem.dy
        scale, shift = (array.astype(np.float64)[:, None] for array in (problem.scale, problem.shift))
        planes = (cell.shape[1], cell.plane)
        for all_x, kept in zip(problem.planes_first(problem.x), problem.planes_first(dy), strict=True):
            x = all_x.reshape(planes).astype(np.float64)
            x -= x.mean(axis=1, keepdims=True)
            z = x / np.sqrt(np.square(x).mean(axis=1, keepdims=True) + problem.eps) * scale + shift
            kept[np.abs(z).reshape(kept.shape) < NEAR] = 0
        return dy
