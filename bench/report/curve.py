"""haline's speed over the size of a plane, from 1 to 10,000 elements: a curve that should have no cliffs."""

import collections.abc

from .baseline import Baseline
from .cells import Cell
from .data import Arena
from .measure import Budget, interleave
from .oracle import Oracle, verdict
from .peers import Peer

BUDGET = Budget(rounds=3, block=0.0008, each=0.05)
TOTALS = {"in L2": (1 << 16, 8), "1 M elements": (1 << 20, 64)}  # elements of a tensor, and its channels


def sizes(every: int = 600, most: int = 10_000) -> list[int]:
    """Every size up to `every`, then multiples of 64 and what is next to them, a few percent apart."""
    chosen = set(range(1, every + 1))
    size = float(every)
    while size < most:
        near = round(size / 64) * 64
        chosen |= {near - 1, near, near + 1, round(size)}
        size *= 1.03
    return sorted(size for size in chosen | {1000, 1023, most} if size <= most)


def cell(size: int, elements: int, channels: int) -> Cell:
    """About so many elements in planes of `size`."""
    return Cell("forward", "f32", "nchw", (max(1, round(elements / channels / size)), channels, size))


def points(haline: Peer, baseline: Baseline, coarse: bool = False) -> collections.abc.Iterator[dict]:
    """A point for each size and total: GB/s of haline and of the fastest copy."""
    plans = [
        (name, size, cell(size, *total)) for name, total in TOTALS.items() for size in sizes(64 if coarse else 600)
    ]
    arena = Arena(max(one.elements for _, _, one in plans))
    for name, size, one in plans:
        problem = arena.problem(one)
        prepared = haline.prepare(problem)
        prepared.call()
        wrong = verdict(haline.name, one, Oracle(problem, limit=1 << 15).error(prepared.results()))
        if wrong:
            raise RuntimeError(f"{one.name}: {wrong}")
        times = interleave({"haline": prepared.timed()} | baseline.timers(problem), BUDGET)
        speed = {who: one.bytes / time.median / 1e9 for who, time in times.items()}
        yield {"total": name, "size": size, "gb_per_s": speed.pop("haline"), "copy": max(speed.values())}
