"""How far everyone is off where instance norm is hard: long planes, offsets, constants, extremes."""

import collections.abc

import numpy as np

from .cells import Cell, shape_name
from .data import Problem, aligned
from .oracle import Oracle
from .peers import Peer

Fill = collections.abc.Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def _normal(offset: float, deviation: float) -> Fill:
    return lambda random, shape: random.standard_normal(shape) * deviation + offset


def _constant(value: float) -> Fill:
    return lambda _, shape: np.full(shape, value)


CORPUS: list[tuple[str, tuple[int, ...], Fill]] = [
    ("randn, a volume", (1, 1, 224, 224, 160), _normal(0, 1)),
    ("randn, a picture", (1, 3, 1024, 1024), _normal(0, 1)),
    ("randn, a long signal", (1, 2, 1 << 22), _normal(0, 1)),
    ("constant 0.1", (1, 2, 512, 512), _constant(0.1)),
    ("constant 1e7 + pi", (1, 2, 256, 256), _constant(1e7 + np.pi)),
    ("offset 1e4, deviation 1", (1, 4, 256, 256), _normal(1e4, 1)),
    ("offset 1e7, deviation 4", (1, 4, 256, 256), _normal(1e7, 4)),
    ("-15.94, deviation 5e-3 (a log-mel floor)", (1, 8, 80, 300), _normal(-15.94, 5e-3)),
    ("deviation 1e30", (1, 4, 256, 256), _normal(0, 1e30)),
    ("deviation 1e-3 (eps matters)", (1, 4, 256, 256), _normal(0, 1e-3)),
    ("0 to 255", (1, 3, 512, 512), lambda random, shape: random.integers(0, 256, shape)),
]


def problem(shape: tuple[int, ...], fill: Fill, seed: int = 1) -> Problem:
    """Scale ones, shift zeros, float32."""
    cell = Cell("forward", "f32", "nchw", shape)
    x, out = (aligned(cell.elements, np.dtype(np.float32)).reshape(shape) for _ in range(2))
    x[:] = fill(np.random.default_rng(seed), shape)
    channels = shape[1]
    return Problem(cell, x, None, out, np.ones(channels, np.float32), np.zeros(channels, np.float32))


def rows(peers: list[Peer]) -> collections.abc.Iterator[dict]:
    """A row for each input: its name, shape and everyone's error in units of max(1, |y|, |scale|), None for refusals.

    An error that is not a number is "nan": JSON has none.
    """
    for name, shape, fill in CORPUS:
        one = problem(shape, fill)
        oracle = Oracle(one)
        errors: dict[str, float | str | None] = {}
        for peer in peers:
            errors[peer.name] = None
            if peer.refuses(one.cell):
                continue
            try:
                prepared = peer.prepare(one)
                one.out[:] = np.nan
                prepared.call()
                error = oracle.error(prepared.results())
            except Exception:  # a refusal of the peer's own kind
                continue
            errors[peer.name] = error if error == error else "nan"
        yield {"input": name, "shape": shape_name(shape), "errors": errors}
